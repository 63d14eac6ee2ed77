#pragma once

#include "base/json_scanner.hh"
#include "domain/sse_splitter.hh"

#include <string>
#include <string_view>

namespace ap {

/// Takes the usage chunk out of an OpenAI chat stream when the gateway asked for it and
/// the client did not. With stream_options.include_usage the API sends one more chunk
/// before "data: [DONE]", whose choices are an empty array (some compatible servers: null
/// or missing) and whose usage is an object; the other chunks have `"usage": null`, which
/// every client must expect of the documented type and which is left alone. An event is
/// held back until it is whole, which delays nothing a client could use; one above 64 KiB
/// is no usage chunk and passes at once. All other bytes pass as they came.
class UsageStrip
{
public:
    /// Appends to `out` what passes of the next bytes of the stream.
    void feed(std::string_view bytes, std::string &out);

    /// The stream has ended, or was cut off: what is held back passes.
    void finish(std::string &out);

    /// Whether a chunk was taken out.
    bool stripped() const noexcept { return stripped_; }

private:
    class Reader;
    /// What becomes of the line feed of a CRLF whose CR has ended an event.
    enum class LineFeed { Held, Passes, Dropped };

    SseSplitter splitter_;
    JsonScanner scanner_;
    std::string held_; ///< of the event under way
    bool too_long_ = false;
    bool has_choices_ = false;
    bool has_usage_ = false;
    bool stripped_ = false;
    bool ended_in_cr_ = false;
    LineFeed line_feed_ = LineFeed::Held;
};

} // namespace ap
