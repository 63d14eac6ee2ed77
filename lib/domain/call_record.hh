#pragma once

#include "base/clock.hh"
#include "domain/budget.hh"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ap {

/// One call that went through the gateway, as its archive keeps it. An archive is a file
/// `archive.jsonl` in an attempt's directory: a line for each call that ended, appended
/// whole, so that what a crash leaves unfinished is at most the last line:
///
///     {"v": 1, "at": MS, "request_id": "...",
///      "request": {"method": "POST", "target": "/v1/messages?beta=true",
///                  "fields": [["content-type", "application/json"], ...],
///                  "body": "..."},
///      "response": {"status": 200, "fields": [...], "body": "...", "complete": true},
///      "usage": {"prompt_tokens": 10, ...}}
///
/// A body that is no UTF-8 is `body_base64` instead. No key is ever written: fields that
/// carry one, and the parameter `key` of a target, are left out.
struct CallRecord
{
    using Fields = std::vector<std::pair<std::string, std::string>>;

    UnixMs at = 0; ///< when the request came
    std::string request_id;
    std::string method;
    std::string target;    ///< path and query
    Fields request_fields; ///< end-to-end fields only
    std::string request_body;
    int status = 0;
    Fields response_fields;
    std::string response_body; ///< as the provider sent it, encoded if it was
    bool complete = true;      ///< false: cut off before its end
    std::optional<Usage> usage;
};

/// The record as one line, newline included, less its secrets.
std::string call_record_line(const CallRecord &record);

/// Appends the record to `archive.jsonl` in `directory` (an attempt's, made if it is not
/// there) with one write; the file is for its owner only. It is not synced: an archive is
/// for looking back and for replays, the books are elsewhere. Throws SystemError.
void append_call_record(const std::string &directory, const CallRecord &record);

/// Reads a line back. Throws Error(BadData) "`source`: ..." if it is none.
CallRecord call_record_from_line(std::string_view text, std::string_view source);

/// Whether a header field of this name carries a key or a cookie.
bool is_secret_field(std::string_view name) noexcept;

/// `target` without the parameter `key` of its query, with which Gemini's clients send
/// theirs.
std::string target_without_key(std::string_view target);

} // namespace ap
