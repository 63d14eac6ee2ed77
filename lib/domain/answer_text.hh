#pragma once

#include "wrap/json.hh"

#include <optional>
#include <string>
#include <string_view>

namespace ap {

/// Whether a model stopped because its answer may not be longer; `stop_reason` is in the
/// provider's word.
bool is_truncated(std::string_view stop_reason);

/// What a model is told so that it goes on with an answer that was truncated.
extern const std::string_view continue_request;

/// Appends the next piece of a truncated answer. What models put between the two although
/// they are told not to is left out: a fence that opens the piece though one is open, and
/// a repetition of the last 40 bytes or more.
std::string join_answer(std::string answer, std::string_view piece);

/// The JSON object of an answer, whatever is around it: the whole text, a fenced block,
/// or what is between the first '{' and the last '}'. Nothing if none of them is an
/// object.
std::optional<Json> object_in_answer(std::string_view answer);

/// The text between two fences longer than any in it, with `label` behind the first, so
/// that it cannot end the block.
std::string fenced(std::string_view text, std::string_view label = {});

} // namespace ap
