#include "domain/llm_provider.hh"

#include "base/text.hh"
#include "domain/capability.hh"
#include "sys/path.hh"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <sys/stat.h>

namespace ap {

namespace {

constexpr size_t largest_config = 1 << 20;
constexpr size_t largest_key_file = 65536;

constexpr auto dialects =
    std::to_array<std::string_view>({"anthropic", "openai", "gemini"});
constexpr auto members_of_provider =
    std::to_array<std::string_view>({"dialect", "models", "base_url", "base_url_variable",
                                     "key_variable", "key_file", "retry"});
constexpr int64_t most_attempts = 20;

[[noreturn]] void refuse(const std::string &place, const std::string &expected,
                         const Json &got)
{
    throw Error(ExitStatus::Config,
                place + ": expected " + expected + ", got " +
                    (got ? printable(got.dump(), 60) : std::string("nothing")));
}

std::string text_of(const Json &json, const std::string &member, const std::string &place)
{
    const Json value = json.get(member);
    if (value && !value.is_string()) {
        refuse(place + "/" + member, "a string", value);
    }
    return value ? value.as_string() : std::string();
}

std::vector<std::string> strings_of(const Json &json, const std::string &member,
                                    const std::string &place)
{
    const Json value = json.get(member);
    std::vector<std::string> strings;
    if (value && !value.is_array()) {
        refuse(place + "/" + member, "an array of strings", value);
    }
    for (size_t i = 0; i < value.size(); i++) {
        if (!value.at(i).is_string()) {
            refuse(place + "/" + member, "an array of strings", value);
        }
        strings.push_back(value.at(i).as_string());
    }
    return strings;
}

std::chrono::milliseconds duration_of(const Json &json, const std::string &member,
                                      const std::string &place,
                                      std::chrono::milliseconds otherwise)
{
    if (!json.get(member)) {
        return otherwise;
    }
    const auto length = parse_duration(text_of(json, member, place));
    if (!length) {
        refuse(place + "/" + member, "a duration such as 500ms", json.get(member));
    }
    return *length;
}

LlmRetry read_retry(const Json &json, const std::string &place)
{
    LlmRetry retry;
    if (!json) {
        return retry;
    }
    for (const std::string &member :
         json.is_object() ? json.keys() : std::vector<std::string>{""}) {
        if (member != "attempts" && member != "backoff" && member != "longest") {
            refuse(place, "an object of attempts, backoff and longest", json);
        }
    }
    const auto attempts = json.get_integer("attempts");
    if (json.get("attempts") &&
        (!attempts || *attempts < 1 || *attempts > most_attempts)) {
        refuse(place + "/attempts", "a number from 1 to 20", json.get("attempts"));
    }
    retry.attempts = attempts.value_or(retry.attempts);
    retry.backoff = duration_of(json, "backoff", place, retry.backoff);
    retry.longest = duration_of(json, "longest", place, retry.longest);
    return retry;
}

LlmProvider read_provider(const std::string &name, const Json &json,
                          const std::string &place)
{
    if (!json.is_object()) {
        refuse(place, "an object", json);
    }
    for (const std::string &member : json.keys()) {
        if (std::find(members_of_provider.begin(), members_of_provider.end(), member) ==
            members_of_provider.end()) {
            throw Error(ExitStatus::Config,
                        place + ": unknown member '" + printable(member) + "'");
        }
    }
    LlmProvider provider;
    provider.name = name;
    const auto *dialect = std::find(dialects.begin(), dialects.end(),
                                    json.get_string("dialect").value_or(""));
    if (dialect == dialects.end()) {
        refuse(place + "/dialect", "anthropic, openai or gemini", json.get("dialect"));
    }
    provider.dialect = static_cast<LlmDialect>(dialect - dialects.begin());
    provider.models = strings_of(json, "models", place);
    provider.base_url = text_of(json, "base_url", place);
    provider.base_url_variable = text_of(json, "base_url_variable", place);
    provider.key_variable = text_of(json, "key_variable", place);
    provider.key_file = text_of(json, "key_file", place);
    provider.retry = read_retry(json.get("retry"), place + "/retry");
    return provider;
}

std::string variable(const std::string &name)
{
    const char *value = name.empty() ? nullptr : std::getenv(name.c_str());
    return value == nullptr ? std::string() : std::string(value);
}

std::string key_from_file(const std::string &path)
{
    struct stat status = {};
    if (stat(path.c_str(), &status) == 0 && (status.st_mode & 0007) != 0) {
        throw Error(ExitStatus::Config, "'" + path + "' holds a key and can be read by " +
                                            "everybody: chmod o= it");
    }
    const std::string text = read_file(path, largest_key_file);
    return std::string(trim(split(text, '\n').front()));
}

} // namespace

LlmEndpoint endpoint_of(const LlmProvider &provider)
{
    LlmEndpoint endpoint;
    endpoint.base_url = variable(provider.base_url_variable);
    if (endpoint.base_url.empty()) {
        endpoint.base_url = provider.base_url;
    }
    while (endpoint.base_url.ends_with('/')) {
        endpoint.base_url.pop_back();
    }
    endpoint.key = variable(provider.key_variable);
    if (endpoint.key.empty() && !provider.key_file.empty()) {
        endpoint.key = key_from_file(provider.key_file);
    }
    if (endpoint.base_url.empty()) {
        throw Error(ExitStatus::Config,
                    "provider '" + provider.name + "' has no base_url");
    }
    if (endpoint.key.empty() && !provider.key_variable.empty()) {
        throw Error(ExitStatus::NoPermission, "no key for provider '" + provider.name +
                                                  "': neither " + provider.key_variable +
                                                  " nor key_file is set");
    }
    endpoint.gateway = is_capability(endpoint.key);
    return endpoint;
}

LlmProviders LlmProviders::from_json(const Json &json, const std::string &source)
{
    LlmProviders providers;
    if (!json.is_object() || !json.get("providers").is_object()) {
        refuse(source, "an object with providers", json);
    }
    for (const std::string &member : json.keys()) {
        if (member != "default_model" && member != "providers") {
            throw Error(ExitStatus::Config,
                        source + ": unknown member '" + printable(member) + "'");
        }
    }
    providers.default_model_ = text_of(json, "default_model", source + ": ");
    const Json list = json.get("providers");
    for (const std::string &name : list.keys()) {
        providers.providers_.push_back(
            read_provider(name, list.get(name), source + ": /providers/" + name));
    }
    return providers;
}

LlmProviders LlmProviders::load(const std::optional<std::string> &path)
{
    const std::string configured = variable("AUTOPACK_LLM_CONFIG");
    const std::string installed = AP_DATADIR "/llm.json";
    const std::string file = path ? *path : !configured.empty() ? configured : installed;
    if (file == installed && !path_exists(file)) {
        throw Error(ExitStatus::Config,
                    "no providers: expected '" + file +
                        "', or a file named by AUTOPACK_LLM_CONFIG or --config");
    }
    Json json;
    try {
        json = Json::parse(read_file(file, largest_config), file);
    } catch (const Error &error) {
        throw Error(ExitStatus::Config, error.what());
    }
    return from_json(json, file);
}

std::vector<std::string> LlmProviders::key_variables() const
{
    std::vector<std::string> names;
    for (const LlmProvider &provider : providers_) {
        if (!provider.key_variable.empty()) {
            names.push_back(provider.key_variable);
        }
    }
    return names;
}

LlmModel LlmProviders::find(const std::optional<std::string> &name) const
{
    const std::string wanted = name.value_or(default_model_);
    if (wanted.empty()) {
        throw Error(ExitStatus::Config,
                    "no model given, and no default_model configured");
    }
    const size_t slash = wanted.find('/');
    LlmModel found{nullptr, wanted};
    size_t longest = 0;
    for (const LlmProvider &provider : providers_) {
        if (slash != std::string::npos && wanted.substr(0, slash) == provider.name) {
            return {&provider, wanted.substr(slash + 1)};
        }
        for (const std::string &beginning : provider.models) {
            if (wanted.starts_with(beginning) && beginning.size() > longest) {
                longest = beginning.size();
                found.provider = &provider;
            }
        }
    }
    if (found.provider == nullptr) {
        throw Error(ExitStatus::Config, "no provider has a model '" + printable(wanted) +
                                            "'; name one as PROVIDER/MODEL");
    }
    return found;
}

} // namespace ap
