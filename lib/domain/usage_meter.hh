#pragma once

#include "domain/budget.hh"
#include "domain/call_ratios.hh"
#include "domain/dialect.hh"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// How a response comes, from its headers and the request.
struct ResponseForm
{
    Dialect dialect = Dialect::Other;
    bool sse = false;             ///< Content-Type: text/event-stream
    std::string content_encoding; ///< "", "identity", "gzip", "x-gzip" or "deflate"
};

/// What was read of a response so far.
struct MeterProgress
{
    std::optional<int64_t> input_known; ///< all input, once the provider has said it
    int64_t output_told = 0; ///< output tokens that the provider has said so far
    /// Output tokens so far: what the provider said, or an upper bound from the visible
    /// text (a token is at least a byte), whichever is more.
    int64_t output_seen = 0;
    int64_t visible_bytes = 0; ///< of the answer's text, as it was streamed
    bool final = false;        ///< the provider has said the final usage

    /// Output tokens so far, at most, of a call that was granted `output`: a provider
    /// that keeps to the limit makes no more of any number of bytes.
    int64_t output_within(int64_t output) const noexcept
    {
        return std::max(output_told, std::min(output_seen, output));
    }
};

/// What a response was found to use.
struct MeteredUsage
{
    Usage usage; ///< tokens, model if the response names it, estimated; no cost
    int64_t cache_write_long = 0; ///< part of cache_write_tokens kept for an hour
};

/// Reads the usage from the body of one response of any dialect as it passes by, plain
/// JSON or SSE, cut at any byte, compressed or not. Memory is bounded whatever the body:
/// nothing of it is kept. Never throws for what the body holds: a body that is no JSON,
/// or an encoding that is unknown, is one without usage.
class UsageMeter
{
public:
    /// `input_bound` is the estimate's, used where the provider says nothing.
    UsageMeter(const ResponseForm &form, int64_t input_bound);
    ~UsageMeter();
    UsageMeter(const UsageMeter &) = delete;
    UsageMeter &operator=(const UsageMeter &) = delete;
    UsageMeter(UsageMeter &&other) noexcept;
    UsageMeter &operator=(UsageMeter &&other) noexcept;

    /// The next bytes of the body as they came, compressed if it is.
    void feed(std::string_view bytes);

    const MeterProgress &progress() const noexcept;

    /// The usage of a response that came to its end, or was cut off. With the provider's
    /// final figures it is exact; without, it is an estimate (usage.estimated) from what
    /// was seen, at most `reserved_output` of output: that itself when nothing can be
    /// seen in this form (a plain body without usage), else what the ratios of the
    /// model's last calls make of what was seen (without: its bytes; all that was
    /// reserved when `hidden_output`), plus 64 tokens that may have been under way.
    MeteredUsage result(int64_t reserved_output, bool hidden_output,
                        const CallRatios *ratios = nullptr) const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace ap
