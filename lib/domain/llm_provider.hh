#pragma once

#include "wrap/json.hh"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// How a provider is spoken to: Anthropic's Messages, OpenAI's Chat Completions or
/// Gemini's streamGenerateContent.
enum class LlmDialect { Anthropic, OpenAi, Gemini };

/// When a call that the provider did not take is made again, by whoever calls it itself.
struct LlmRetry
{
    int64_t attempts = 3;                      ///< at most, the first too
    std::chrono::milliseconds backoff{500};    ///< before the second, then doubled
    std::chrono::milliseconds longest{20'000}; ///< a longer Retry-After is not waited for
};

/// A provider as the configuration names it.
struct LlmProvider
{
    std::string name;
    LlmDialect dialect = LlmDialect::OpenAi;
    std::vector<std::string> models; ///< beginnings of the names of its models
    std::string base_url;            ///< with /v1 for OpenAI, without for the others
    std::string base_url_variable;   ///< goes before base_url where it is set
    std::string key_variable;        ///< goes before key_file where it is set
    std::string key_file;            ///< first line: the key; empty: none is needed
    LlmRetry retry;
};

/// Where a provider is, and with what key.
struct LlmEndpoint
{
    std::string base_url; ///< without a slash at the end
    std::string key;      ///< may be empty
    bool gateway = false; ///< the key is a capability: the gateway keeps the budget
};

/// Reads the two from environment and key file. Throws Error(Config) if the key's file is
/// readable for others than its owner's group, Error(NoPermission) if there is no key
/// though the provider names where one is, SystemError for a file that cannot be read.
LlmEndpoint endpoint_of(const LlmProvider &provider);

/// A model and who has it.
struct LlmModel
{
    const LlmProvider *provider;
    std::string name; ///< as the provider knows it
};

/// The configuration of ap-llm(1): an object with `default_model` and `providers`, an
/// object of providers with the members of LlmProvider.
class LlmProviders
{
public:
    /// Throws Error(Config) "`source`: ..." naming the member that is wrong.
    static LlmProviders from_json(const Json &json, const std::string &source);

    /// Reads the file at `path`, else the one AUTOPACK_LLM_CONFIG names, else the one
    /// installed with the suite.
    static LlmProviders load(const std::optional<std::string> &path);

    /// The model `name`: "PROVIDER/MODEL", or the model of the provider one of whose
    /// beginnings it has, the longest winning; without a name the default one. Throws
    /// Error(Config) if nobody has it.
    LlmModel find(const std::optional<std::string> &name) const;

    /// The names of the variables that the providers' keys are in.
    std::vector<std::string> key_variables() const;

private:
    std::string default_model_;
    std::vector<LlmProvider> providers_;
};

} // namespace ap
