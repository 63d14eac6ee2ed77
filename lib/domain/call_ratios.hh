#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// What a call that ended with its provider's own figures tells of those that do not.
struct CallSample
{
    int64_t input_bound = 0;   ///< what its bytes bounded the input to; 0: not told
    int64_t input = 0;         ///< what it was
    int64_t visible_bytes = 0; ///< of the answer, as it was streamed; 0: not told
    int64_t visible_tokens = 0;
    int64_t hidden_tokens = -1; ///< output that may not have shown; -1: all of it does
};

/// What the answer of such a call came to.
struct WholeAnswer
{
    int64_t output = 0;        ///< tokens
    int64_t reasoning = 0;     ///< of them; 0: not told
    int64_t visible_bytes = 0; ///< of its text
    bool shows = false;        ///< its text was seen as it came
    bool hidden = false;       ///< and may not have been all
};

/// The sample of a call whose input was bounded by `input_bound` (0: not told) and came
/// to `input`.
CallSample sample_of(int64_t input_bound, int64_t input,
                     const WholeAnswer &answer) noexcept;

/// How much of an answer came before it was cut off.
struct CutAnswer
{
    int64_t granted = 0;       ///< the output it was allowed
    int64_t told = 0;          ///< output the provider has said so far
    int64_t visible_bytes = 0; ///< of the text that came
    int64_t under_way = 0;     ///< tokens that may have been made and not seen
    bool shows = false;        ///< its text is seen as it comes
    bool hidden = false;       ///< and may not be all
};

/// The last calls of one model, each with what was known of it beforehand and what it
/// came to. From them follows what a call came to of which nobody tells the usage: the
/// highest ratio among them, and a margin. Where too few are known: the bound.
///
/// If the next call is like the last, it is above the highest of n with a chance of 1 in
/// n + 1; how far above the margin covers. Ratios of the input hold for larger calls,
/// too, but not for much smaller ones (a constant part of the bound stands for little),
/// so that only calls at least half as large count.
class CallRatios
{
public:
    static constexpr size_t most = 64;           ///< calls that are remembered
    static constexpr int64_t enough = 16;        ///< calls a ratio is taken from
    static constexpr int64_t enough_hidden = 32; ///< reasoning varies more

    /// Nanoseconds; nothing is allocated.
    void add(const CallSample &sample) noexcept;

    /// What an input bounded by `bound` came to; at most that.
    int64_t input_of(int64_t bound) const noexcept;

    /// What visible text of so many bytes came to, in calls with `hidden` output or
    /// without; nothing if too little was seen.
    std::optional<int64_t> visible_of(int64_t bytes, bool hidden) const noexcept;

    /// The most output that did not show, and a fourth; nothing if too little was seen.
    std::optional<int64_t> most_hidden() const noexcept;

    /// As text for the database, and back: what is no such text is no samples.
    std::string to_text() const;
    static CallRatios from_text(std::string_view text);

private:
    struct Ring
    {
        std::array<CallSample, most> samples{};
        uint64_t added = 0;

        size_t size() const noexcept { return added < most ? added : most; }
        void add(const CallSample &sample) noexcept { samples[added++ % most] = sample; }
    };
    Ring shown_;  ///< calls that told their input or their visible text
    Ring hidden_; ///< calls with output that may not have shown
};

/// The output of a call that was cut off: from the ratios (null: none are known) as far
/// as they tell, else its upper bound; at least what the provider told, at most what was
/// granted.
int64_t output_of(const CallRatios *ratios, const CutAnswer &cut) noexcept;

} // namespace ap
