#include "domain/answer_text.hh"

#include "base/text.hh"

#include <algorithm>
#include <array>

namespace ap {

namespace {

constexpr auto truncated_reasons =
    std::to_array<std::string_view>({"max_tokens", "length", "MAX_TOKENS"});

constexpr size_t least_repetition = 40;
constexpr size_t longest_repetition = 4000;
constexpr size_t least_fence = 3;

bool is_fence(std::string_view line)
{
    return line.starts_with("```") || line.starts_with("~~~");
}

bool ends_inside_a_fence(std::string_view text)
{
    const auto lines = split(text, '\n');
    return std::count_if(lines.begin(), lines.end(), is_fence) % 2 == 1;
}

// How much of the beginning of `piece` repeats the end of `answer`.
size_t repetition(std::string_view answer, std::string_view piece)
{
    size_t length = std::min({answer.size(), piece.size(), longest_repetition});
    for (; length >= least_repetition; length--) {
        if (answer.ends_with(piece.substr(0, length))) {
            return length;
        }
    }
    return 0;
}

std::optional<Json> object_of(std::string_view text)
{
    auto json = Json::try_parse(text);
    return json && json->is_object() ? json : std::nullopt;
}

std::optional<Json> object_in_fence(std::string_view answer)
{
    std::string block;
    bool inside = false;
    for (const std::string_view line : split(answer, '\n')) {
        if (!is_fence(line)) {
            block += inside ? std::string(line) + "\n" : "";
            continue;
        }
        if (auto json = inside ? object_of(block) : std::nullopt) {
            return json;
        }
        inside = !inside;
        block.clear();
    }
    return std::nullopt;
}

} // namespace

const std::string_view continue_request =
    "Your answer was cut off by its length limit. Go on exactly where it stopped, in the "
    "middle of a line if need be. Repeat nothing, explain nothing, open no new block.";

bool is_truncated(std::string_view stop_reason)
{
    return std::find(truncated_reasons.begin(), truncated_reasons.end(), stop_reason) !=
           truncated_reasons.end();
}

std::string join_answer(std::string answer, std::string_view piece)
{
    const size_t line_end = piece.find('\n');
    if (is_fence(piece) && line_end != std::string_view::npos &&
        trim(piece.substr(0, line_end)).size() > least_fence &&
        ends_inside_a_fence(answer)) {
        piece.remove_prefix(line_end + 1);
    }
    piece.remove_prefix(repetition(answer, piece));
    answer += piece;
    return answer;
}

std::optional<Json> object_in_answer(std::string_view answer)
{
    if (auto json = object_of(trim(answer))) {
        return json;
    }
    if (auto json = object_in_fence(answer)) {
        return json;
    }
    const size_t begin = answer.find('{');
    const size_t end = answer.rfind('}');
    return begin == std::string_view::npos || end == std::string_view::npos || end < begin
               ? std::nullopt
               : object_of(answer.substr(begin, end - begin + 1));
}

std::string fenced(std::string_view text, std::string_view label)
{
    size_t longest = least_fence - 1;
    size_t run = 0;
    for (const char c : text) {
        run = c == '`' ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    const std::string fence(longest + 1, '`');
    std::string block = fence + std::string(label) + "\n" + std::string(text);
    block += text.empty() || text.ends_with('\n') ? "" : "\n";
    return block + fence + "\n";
}

} // namespace ap
