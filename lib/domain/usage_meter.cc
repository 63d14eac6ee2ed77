#include "domain/usage_meter.hh"

#include "domain/sse_splitter.hh"
#include "domain/usage_reader.hh"
#include "wrap/zlib.hh"

#include <algorithm>

namespace ap {

namespace {

// Output of a cut-off stream that may have been made but not seen.
constexpr int64_t under_way = 64;

constexpr std::string_view done_mark = "[DONE]";

std::optional<Inflate> decoder_of(std::string_view encoding)
{
    if (encoding == "gzip" || encoding == "x-gzip") {
        return Inflate(Inflate::Format::Gzip);
    }
    if (encoding == "deflate") {
        return Inflate(Inflate::Format::Deflate);
    }
    return std::nullopt;
}

bool is_readable(std::string_view encoding)
{
    return encoding.empty() || encoding == "identity" || encoding == "gzip" ||
           encoding == "x-gzip" || encoding == "deflate";
}

} // namespace

class UsageMeter::Impl final : public SseSplitter::Handler
{
public:
    Impl(const ResponseForm &form, int64_t input_bound)
        : form_(form)
        , input_bound_(input_bound)
        , readable_(is_metered(form.dialect) && is_readable(form.content_encoding))
        , streamed_(form.sse || form.dialect == Dialect::GeminiStream)
        , decoder_(decoder_of(form.content_encoding))
        , reader_(form.dialect, streamed_)
    {
    }

    void feed(std::string_view bytes)
    {
        if (!readable_) {
            return;
        }
        if (decoder_) {
            readable_ =
                decoder_->feed(bytes, [this](std::string_view piece) { read(piece); });
        } else {
            read(bytes);
        }
        update();
    }

    const MeterProgress &progress() const noexcept { return progress_; }

    MeteredUsage result(int64_t reserved_output, bool hidden_output,
                        const CallRatios *ratios) const
    {
        const UsageFigures &figures = reader_.figures();
        MeteredUsage result;
        Usage &usage = result.usage;
        usage.model = figures.model;
        usage.estimated = !figures.final;
        usage.prompt_tokens = progress_.input_known.value_or(input_bound_);
        usage.cached_tokens = std::min(figures.cached.value_or(0), usage.prompt_tokens);
        usage.cache_write_tokens = std::min(figures.cache_write.value_or(0),
                                            usage.prompt_tokens - usage.cached_tokens);
        result.cache_write_long =
            std::min(figures.cache_write_long.value_or(0), usage.cache_write_tokens);
        usage.completion_tokens =
            figures.final ? said_output()
                          : estimated_output(reserved_output, hidden_output, ratios);
        usage.reasoning_tokens =
            std::min(figures.reasoning.value_or(0), usage.completion_tokens);
        return result;
    }

    void on_data(std::string_view piece) override
    {
        if (start_.size() < done_mark.size()) {
            start_.append(piece.substr(0, done_mark.size() - start_.size()));
        }
        scanner_.feed(piece, reader_);
    }

    void on_event(uint64_t) override
    {
        scanner_.finish(reader_);
        reader_.end_event(start_ == done_mark);
        scanner_.reset();
        start_.clear();
    }

private:
    ResponseForm form_;
    int64_t input_bound_;
    bool readable_;
    bool streamed_;
    std::optional<Inflate> decoder_;
    SseSplitter splitter_;
    JsonScanner scanner_;
    UsageReader reader_;
    std::string start_; ///< of the event's data, as much as "[DONE]" is long
    MeterProgress progress_;

    void read(std::string_view bytes)
    {
        if (form_.sse) {
            splitter_.feed(bytes, *this);
            return;
        }
        scanner_.feed(bytes, reader_);
    }

    // Sums that no two counts of largest_amount can overflow.
    std::optional<int64_t> said_input() const
    {
        const UsageFigures &figures = reader_.figures();
        if (!figures.input) {
            return std::nullopt;
        }
        if (form_.dialect == Dialect::AnthropicMessages) {
            return *figures.input + figures.cached.value_or(0) +
                   figures.cache_write.value_or(0);
        }
        return *figures.input + figures.tool_input.value_or(0);
    }

    int64_t said_output() const
    {
        const UsageFigures &figures = reader_.figures();
        int64_t output = figures.output.value_or(0);
        if (family_of(form_.dialect) == "gemini") {
            output += figures.reasoning.value_or(0);
        }
        // Some servers leave reasoning out of the output, but not out of the total.
        return std::max(output, figures.total.value_or(0) - said_input().value_or(0));
    }

    int64_t estimated_output(int64_t reserved, bool hidden,
                             const CallRatios *ratios) const
    {
        if (form_.dialect == Dialect::OpenAiEmbeddings) {
            return 0;
        }
        return output_of(ratios, {reserved, said_output(), progress_.visible_bytes,
                                  under_way, streamed_ && readable_, hidden});
    }

    void update()
    {
        progress_.input_known = said_input();
        progress_.output_told = progress_.output_seen = said_output();
        progress_.final = reader_.figures().final;
        progress_.visible_bytes = reader_.figures().visible_bytes;
        if (!progress_.final) {
            progress_.output_seen =
                std::max(progress_.output_seen, progress_.visible_bytes);
        }
    }
};

UsageMeter::UsageMeter(const ResponseForm &form, int64_t input_bound)
    : impl_(std::make_unique<Impl>(form, input_bound))
{
}

UsageMeter::~UsageMeter() = default;
UsageMeter::UsageMeter(UsageMeter &&other) noexcept = default;
UsageMeter &UsageMeter::operator=(UsageMeter &&other) noexcept = default;

void UsageMeter::feed(std::string_view bytes)
{
    impl_->feed(bytes);
}

const MeterProgress &UsageMeter::progress() const noexcept
{
    return impl_->progress();
}

MeteredUsage UsageMeter::result(int64_t reserved_output, bool hidden_output,
                                const CallRatios *ratios) const
{
    return impl_->result(reserved_output, hidden_output, ratios);
}

} // namespace ap
