#include "domain/usage.hh"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

namespace ap {

namespace {

constexpr size_t longest_line = 4 << 20;

int64_t count_of(const Json &object, std::string_view name)
{
    return std::clamp<int64_t>(object.get_integer(name).value_or(0), 0, largest_amount);
}

int64_t microusd_of(const Json &dollars)
{
    const double value = dollars.is_number() ? dollars.as_number() * 1e6 : 0;
    return std::llround(std::clamp(value, 0.0, static_cast<double>(largest_amount)));
}

bool is_nothing(const Usage &usage)
{
    return usage.prompt_tokens == 0 && usage.completion_tokens == 0 &&
           usage.cost_microusd == 0;
}

void add(Usage &sum, const Usage &more)
{
    sum.prompt_tokens += more.prompt_tokens;
    sum.completion_tokens += more.completion_tokens;
    sum.cached_tokens += more.cached_tokens;
    sum.cache_write_tokens += more.cache_write_tokens;
    sum.reasoning_tokens += more.reasoning_tokens;
    sum.cost_microusd += more.cost_microusd;
}

// What `now` has beyond `before`, field by field, never less than nothing.
Usage beyond(const Usage &now, const Usage &before)
{
    const auto rest = [](int64_t a, int64_t b) { return std::max<int64_t>(0, a - b); };
    Usage more = now;
    more.prompt_tokens = rest(now.prompt_tokens, before.prompt_tokens);
    more.completion_tokens = rest(now.completion_tokens, before.completion_tokens);
    more.cached_tokens = rest(now.cached_tokens, before.cached_tokens);
    more.cache_write_tokens = rest(now.cache_write_tokens, before.cache_write_tokens);
    more.reasoning_tokens = rest(now.reasoning_tokens, before.reasoning_tokens);
    more.cost_microusd = rest(now.cost_microusd, before.cost_microusd);
    return more;
}

// Splits output into lines that hold a JSON object; everything else is passed over.
class LineReader : public AgentUsageReader
{
public:
    std::vector<Usage> feed(std::string_view piece) final
    {
        std::vector<Usage> found;
        for (size_t end = 0; (end = piece.find('\n')) != std::string_view::npos;) {
            collect(piece.substr(0, end));
            read_line(found);
            piece.remove_prefix(end + 1);
        }
        collect(piece);
        return found;
    }

    std::vector<Usage> finish() final
    {
        std::vector<Usage> found;
        read_line(found);
        return found;
    }

protected:
    virtual void read_record(const Json &record, std::vector<Usage> &found) = 0;

private:
    void collect(std::string_view piece)
    {
        too_long_ = too_long_ || line_.size() + piece.size() > longest_line;
        if (too_long_) {
            line_.clear();
        } else {
            line_ += piece;
        }
    }

    void read_line(std::vector<Usage> &found)
    {
        const size_t first = line_.find_first_not_of(" \t\r");
        if (!too_long_ && first != std::string::npos &&
            (line_[first] == '{' || line_[first] == '[')) {
            if (const auto record = Json::try_parse(line_)) {
                read_each(*record, found);
            }
        }
        line_.clear();
        too_long_ = false;
    }

    // `claude -p --output-format json --verbose` prints its messages as one array.
    void read_each(const Json &record, std::vector<Usage> &found)
    {
        if (record.is_object()) {
            read_record(record, found);
        }
        for (size_t i = 0; record.is_array() && i < record.size(); i++) {
            if (record.at(i).is_object()) {
                read_record(record.at(i), found);
            }
        }
    }

    std::string line_;
    bool too_long_ = false;
};

class ClaudeReader final : public LineReader
{
    void read_record(const Json &record, std::vector<Usage> &found) override
    {
        const std::string type = record.get_string("type").value_or("");
        if (type == "assistant") {
            read_message(record.get("message"), found);
        } else if (type == "result") {
            read_result(record, found);
        }
    }

    static Usage tokens_of(const Json &usage)
    {
        Usage read;
        read.provider = "anthropic";
        read.cached_tokens = count_of(usage, "cache_read_input_tokens");
        read.cache_write_tokens = count_of(usage, "cache_creation_input_tokens");
        // Anthropic's input_tokens leaves out what the cache answered or took in.
        read.prompt_tokens = count_of(usage, "input_tokens") + read.cached_tokens +
                             read.cache_write_tokens;
        read.completion_tokens = count_of(usage, "output_tokens");
        return read;
    }

    void read_message(const Json &message, std::vector<Usage> &found)
    {
        const auto id = message.get_string("id");
        if (!id || !message.get("usage").is_object()) {
            return;
        }
        Usage now = tokens_of(message.get("usage"));
        now.model = message.get_string("model").value_or("");
        now.estimated = true;
        Usage more = beyond(now, messages_[*id]);
        if (!is_nothing(more)) {
            add(messages_[*id], more);
            add(early_, more);
            found.push_back(std::move(more));
        }
    }

    // The result is the truth; what the messages gave early is taken off it.
    void read_result(const Json &result, std::vector<Usage> &found)
    {
        const Json models = result.get("modelUsage");
        if (!models.is_object() || models.size() == 0) {
            Usage total = tokens_of(result.get("usage"));
            total.cost_microusd = microusd_of(result.get("total_cost_usd"));
            settle(total, found);
            return;
        }
        for (const std::string &model : models.keys()) {
            const Json usage = models.get(model);
            Usage total;
            total.provider = "anthropic";
            total.model = model;
            total.cached_tokens = count_of(usage, "cacheReadInputTokens");
            total.cache_write_tokens = count_of(usage, "cacheCreationInputTokens");
            total.prompt_tokens = count_of(usage, "inputTokens") + total.cached_tokens +
                                  total.cache_write_tokens;
            total.completion_tokens = count_of(usage, "outputTokens");
            total.cost_microusd = microusd_of(usage.get("costUSD"));
            settle(total, found);
        }
    }

    void settle(const Usage &total, std::vector<Usage> &found)
    {
        Usage more = beyond(total, early_);
        early_ = beyond(early_, total);
        if (!is_nothing(more)) {
            found.push_back(std::move(more));
        }
    }

    std::map<std::string, Usage> messages_;
    Usage early_; ///< given from messages and not yet found again in a result
};

class CodexReader final : public LineReader
{
    void read_record(const Json &record, std::vector<Usage> &found) override
    {
        const Json usage = record.get("usage");
        if (record.get_string("type") != "turn.completed" || !usage.is_object()) {
            return;
        }
        Usage now;
        now.provider = "openai";
        now.prompt_tokens = count_of(usage, "input_tokens");
        now.cached_tokens = count_of(usage, "cached_input_tokens");
        now.completion_tokens = count_of(usage, "output_tokens");
        now.reasoning_tokens = count_of(usage, "reasoning_output_tokens");
        Usage more = beyond(now, thread_);
        thread_ = now;
        if (!is_nothing(more)) {
            found.push_back(std::move(more));
        }
    }

    Usage thread_; ///< what the last turn gave, which counts the whole thread
};

class OpencodeReader final : public LineReader
{
    void read_record(const Json &record, std::vector<Usage> &found) override
    {
        const Json part = record.get("part");
        const Json tokens = part.get("tokens");
        if (record.get_string("type") != "step_finish" || !tokens.is_object()) {
            return;
        }
        Usage step;
        step.provider = "opencode";
        step.cached_tokens = count_of(tokens.get("cache"), "read");
        step.cache_write_tokens = count_of(tokens.get("cache"), "write");
        step.prompt_tokens =
            count_of(tokens, "input") + step.cached_tokens + step.cache_write_tokens;
        step.reasoning_tokens = count_of(tokens, "reasoning");
        step.completion_tokens = count_of(tokens, "output") + step.reasoning_tokens;
        step.cost_microusd = microusd_of(part.get("cost"));
        if (!is_nothing(step)) {
            found.push_back(std::move(step));
        }
    }
};

class CustomReader final : public LineReader
{
    void read_record(const Json &record, std::vector<Usage> &found) override
    {
        const Json usage = record.get("usage");
        if (!usage.is_object()) {
            return;
        }
        try {
            found.push_back(usage_from_json(usage));
        } catch (const Error &) {
            return; // some other program's idea of usage; not ours to judge
        }
    }
};

} // namespace

std::unique_ptr<AgentUsageReader> make_usage_reader(Agent agent)
{
    switch (agent) {
    case Agent::None:
        return nullptr;
    case Agent::Claude:
        return std::make_unique<ClaudeReader>();
    case Agent::Codex:
        return std::make_unique<CodexReader>();
    case Agent::Opencode:
        return std::make_unique<OpencodeReader>();
    case Agent::Custom:
        return std::make_unique<CustomReader>();
    }
    throw Error(ExitStatus::Bug, "no such agent");
}

} // namespace ap
