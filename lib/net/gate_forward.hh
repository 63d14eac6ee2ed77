#pragma once

#include "net/gate_config.hh"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// The key a client presents: x-api-key, Authorization: Bearer, x-goog-api-key, or the
/// parameter `key` of the query, in this order; empty if there is none.
std::string_view presented_key(std::span<const HttpField> fields, std::string_view query);

/// The header fields to forward: all end-to-end fields as they came, in their order, less
/// those that carry a key, and the provider's own key in their stead. The views point
/// into `fields`, `provider` and `bearer`, which is filled with the value of an
/// Authorization field if one is needed.
std::vector<HttpField> forwarded_fields(std::span<const HttpField> fields,
                                        const GateProvider &provider,
                                        std::string &bearer);

/// A Gemini request's target with another model in the place of `was`.
std::string target_with_model(std::string_view target, std::string_view was,
                              std::string_view model);

/// The header fields of an answer to pass on: all that are not about the connection.
std::vector<HttpField> answered_fields(std::span<const HttpField> fields);

/// The family of a request whose path does not tell it (listing models), from its fields
/// and path: "anthropic", "gemini" or "openai".
std::string_view guessed_family(std::span<const HttpField> fields, std::string_view path);

/// A Retry-After field's seconds, or the length of time to its date; nothing without one
/// that can be read.
std::optional<std::chrono::milliseconds>
retry_after(std::span<const HttpField> fields, std::chrono::system_clock::time_point now);

/// What the provider calls the request it answers: the field request-id (Anthropic) or
/// x-request-id (OpenAI); empty if it does not tell.
std::string_view provider_request_id(std::span<const HttpField> fields);

/// The name of the breaker of a provider and model: "gate.PROVIDER.MODEL", with what no
/// name may hold replaced.
std::string gate_breaker_name(std::string_view provider, std::string_view model);

/// The same for calls that ap-llm makes itself: "llm.PROVIDER.MODEL".
std::string llm_breaker_name(std::string_view provider, std::string_view model);

} // namespace ap
