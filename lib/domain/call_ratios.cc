#include "domain/call_ratios.hh"

#include "base/text.hh"
#include "domain/budget.hh"

#include <algorithm>

namespace ap {

namespace {

constexpr int64_t million = 1'000'000;
// Shorter answers are mostly what ends them, which no byte stands for.
constexpr int64_t least_text = 256;

// A count is at most largest_amount, a millionth of what overflows.
int64_t ratio(int64_t part, int64_t whole) noexcept
{
    return (part * million + whole - 1) / whole;
}

int64_t scaled(int64_t whole, int64_t ratio) noexcept
{
    const auto product = static_cast<double>(whole) * static_cast<double>(ratio);
    return static_cast<int64_t>(
               std::min(product / million, static_cast<double>(largest_amount))) +
           1;
}

// Where the next call is beyond the highest of the last, it is by little; and the
// constant part of a bound makes up to some tens of tokens.
int64_t with_margin(int64_t tokens) noexcept
{
    return tokens + tokens / 32 + 32;
}

int64_t bounded(int64_t count) noexcept
{
    return std::clamp<int64_t>(count, -1, largest_amount);
}

} // namespace

void CallRatios::add(const CallSample &sample) noexcept
{
    CallSample kept = sample;
    if (kept.input_bound <= 0 || kept.input <= 0) {
        kept.input_bound = 0;
    }
    if (kept.visible_bytes < least_text || kept.visible_tokens <= 0) {
        kept.visible_bytes = 0;
    }
    if (kept.input_bound > 0 || kept.visible_bytes > 0) {
        shown_.add(kept);
    }
    if (kept.hidden_tokens >= 0) {
        hidden_.add(kept);
    }
}

int64_t CallRatios::input_of(int64_t bound) const noexcept
{
    int64_t seen = 0;
    int64_t highest = 0;
    for (size_t i = 0; i < shown_.size(); ++i) {
        const CallSample &sample = shown_.samples[i];
        if (sample.input_bound > 0 && sample.input_bound >= bound / 2) {
            ++seen;
            highest = std::max(highest, ratio(sample.input, sample.input_bound));
        }
    }
    return seen < enough ? bound : std::min(bound, with_margin(scaled(bound, highest)));
}

std::optional<int64_t> CallRatios::visible_of(int64_t bytes, bool hidden) const noexcept
{
    int64_t seen = 0;
    int64_t highest = 0;
    for (size_t i = 0; i < shown_.size(); ++i) {
        const CallSample &sample = shown_.samples[i];
        if (sample.visible_bytes > 0 && (sample.hidden_tokens >= 0) == hidden) {
            ++seen;
            highest =
                std::max(highest, ratio(sample.visible_tokens, sample.visible_bytes));
        }
    }
    if (seen < enough) {
        return std::nullopt;
    }
    const int64_t tokens = scaled(bytes, highest);
    return tokens + tokens / 32;
}

std::optional<int64_t> CallRatios::most_hidden() const noexcept
{
    if (static_cast<int64_t>(hidden_.size()) < enough_hidden) {
        return std::nullopt;
    }
    int64_t highest = 0;
    for (size_t i = 0; i < hidden_.size(); ++i) {
        highest = std::max(highest, hidden_.samples[i].hidden_tokens);
    }
    return highest + highest / 4;
}

std::string CallRatios::to_text() const
{
    std::string text;
    for (const Ring *ring : {&shown_, &hidden_}) {
        for (uint64_t i = ring->added - ring->size(); i < ring->added; ++i) {
            const CallSample &sample = ring->samples[i % most];
            text += ring == &shown_ ? 's' : 'h';
            for (const int64_t number :
                 {sample.input_bound, sample.input, sample.visible_bytes,
                  sample.visible_tokens, sample.hidden_tokens}) {
                text += ' ' + std::to_string(number);
            }
            text += '\n';
        }
    }
    return text;
}

CallRatios CallRatios::from_text(std::string_view text)
{
    CallRatios ratios;
    for (const std::string_view line : split(text, '\n')) {
        const std::vector<std::string_view> words = split(line, ' ');
        if (words.size() != 6) {
            continue;
        }
        CallSample sample;
        size_t word = 1;
        for (int64_t *number : {&sample.input_bound, &sample.input, &sample.visible_bytes,
                                &sample.visible_tokens, &sample.hidden_tokens}) {
            *number = bounded(parse_integer(words[word++], -1, INT64_MAX).value_or(0));
        }
        (words[0] == "h" ? ratios.hidden_ : ratios.shown_).add(sample);
    }
    return ratios;
}

CallSample sample_of(int64_t input_bound, int64_t input,
                     const WholeAnswer &answer) noexcept
{
    CallSample sample;
    sample.input_bound = input_bound;
    sample.input = input;
    if (answer.shows) {
        sample.visible_bytes = answer.visible_bytes;
        sample.visible_tokens = answer.output;
    }
    if (answer.hidden) {
        // Where it is not told what the reasoning was, all of it may have been.
        const bool told = answer.reasoning > 0;
        sample.hidden_tokens = told ? answer.reasoning : answer.output;
        sample.visible_tokens -= told ? answer.reasoning : sample.visible_tokens;
    }
    return sample;
}

int64_t output_of(const CallRatios *ratios, const CutAnswer &cut) noexcept
{
    const int64_t most = std::max(cut.granted, cut.told);
    if (!cut.shows) {
        return most;
    }
    const auto visible = ratios != nullptr
                             ? ratios->visible_of(cut.visible_bytes, cut.hidden)
                             : std::nullopt;
    int64_t output =
        std::max(cut.told, visible.value_or(cut.visible_bytes)) + cut.under_way;
    if (cut.hidden) {
        const auto hidden = ratios != nullptr ? ratios->most_hidden() : std::nullopt;
        output = hidden ? output + *hidden : most;
    }
    return std::max(cut.told, std::min(cut.granted, output));
}

} // namespace ap
