#pragma once

#include "base/json_scanner.hh"
#include "domain/call_estimate.hh"

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// Collects from a request body, while a JsonScanner reads it, what estimate_call() makes
/// an estimate of. Throws Error(BadData) as that says.
class CallBody final : public JsonScanner::Handler
{
public:
    /// `body` and `rules` must outlive the reading.
    CallBody(const Route &route, std::string_view body, const EstimateRules &rules);

    CallEstimate estimate;    ///< the members that the body gives directly
    int64_t extra = 0;        ///< what the rules add to the bytes
    uint64_t media_bytes = 0; ///< bytes of strings that are no text
    bool has_tools = false;
    bool thinks = false;  ///< Anthropic thinking is on
    bool reasons = false; ///< OpenAI reasoning is asked for
    std::optional<int64_t> thinking_budget;

    /// An object that something may be put into: behind its brace, or for the `null` that
    /// stands in its place.
    struct Room
    {
        std::optional<uint64_t> brace; ///< offset behind it
        bool empty = true;
        std::optional<BodyEdit> null;
    };
    Room root;
    Room config;                           ///< generationConfig
    Room options;                          ///< stream_options
    std::optional<BodyEdit> include_usage; ///< the value, if it is there

    void on_open(std::string_view path, char kind, uint64_t offset) override;
    void on_scalar(std::string_view path, const JsonScanner::Scalar &scalar) override;

private:
    std::string_view body_;
    const EstimateRules &rules_;
    bool is_gemini_;

    // What may be given once: under whichever name, and from Named on each name.
    enum class Once { Limit, Config, Choices, Named };
    std::bitset<16> seen_;

    void note_once(Once member, std::string_view name);
    bool is_config(std::string_view path) const;
    bool is_in_config(std::string_view path, std::string_view camel,
                      std::string_view snake) const;
    bool is_limit(std::string_view path) const;
    bool is_choices(std::string_view path) const;
    void note_member(std::string_view path);
    void take_stream(std::string_view path, const JsonScanner::Scalar &scalar);
    void take_limit(std::string_view path, const JsonScanner::Scalar &scalar);
    void take_rest(std::string_view path, const JsonScanner::Scalar &scalar);
    void take_type(std::string_view path, std::string_view text);
    void add_media(std::string_view path, const JsonScanner::Scalar &scalar);
};

} // namespace ap
