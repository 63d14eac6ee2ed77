#include "net/gate_config.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "net/bind_safety.hh"
#include "sys/path.hh"
#include "sys/socket.hh"
#include "wrap/json_reader.hh"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <sched.h>

namespace ap {

namespace {

using std::chrono::milliseconds;

constexpr size_t largest_config = 1 << 20;
constexpr size_t largest_key = 16384;

template <typename Value>
void set(Value &member, const std::optional<Value> &given)
{
    if (given) {
        member = *given;
    }
}

// A path of the configuration: a credential of the service manager, absolute, or beside
// the configuration.
std::string resolved(JsonReader &reader, std::string_view key, const std::string &path,
                     const std::string &config)
{
    constexpr std::string_view credential = "credential:";
    if (!path.starts_with(credential)) {
        return join_path(parent_path(config), path);
    }
    const char *directory = std::getenv("CREDENTIALS_DIRECTORY");
    if (directory == nullptr) {
        reader.refuse(key, "a path (the service manager passed no credentials: "
                           "CREDENTIALS_DIRECTORY is not set)");
    }
    return join_path(directory, path.substr(credential.size()));
}

std::string read_key(const std::string &path)
{
    const std::string text = read_file(path, largest_key);
    const std::string_view key = trim(text);
    const bool plain = std::all_of(
        key.begin(), key.end(), [](char letter) { return letter > ' ' && letter < 127; });
    if (key.empty() || !plain) {
        throw Error(ExitStatus::Config, path + ": expected a key in one line");
    }
    return std::string(key);
}

void read_timeouts(JsonReader reader, HttpTimeouts &timeouts)
{
    set(timeouts.connect, reader.duration("connect"));
    set(timeouts.first_byte, reader.duration("first_byte"));
    set(timeouts.idle, reader.duration("idle"));
    reader.done();
}

void read_retry(JsonReader reader, GateRetry &retry)
{
    set(retry.attempts, reader.integer("attempts", 1, 20));
    set(retry.statuses, reader.integers("statuses", 400, 599));
    set(retry.backoff, reader.duration("backoff"));
    set(retry.longest, reader.duration("longest"));
    reader.done();
}

std::string read_url(JsonReader &reader)
{
    std::string url = reader.required_text("base_url");
    while (url.ends_with('/')) {
        url.pop_back();
    }
    const bool https = url.starts_with("https://") && url.size() > 8;
    const bool http = url.starts_with("http://") && url.size() > 7;
    const bool plain = std::all_of(url.begin(), url.end(), [](char letter) {
        return letter > ' ' && letter < 127 && letter != '?' && letter != '#';
    });
    if (!plain || (!https && !http)) {
        reader.refuse("base_url", "an http or https URL without a query");
    }
    // A key must not travel in the clear, except where the user says so.
    const bool insecure = reader.boolean("insecure").value_or(false);
    const std::string_view host =
        std::string_view(url).substr(https ? 8 : 7, url.find_first_of("/:", 7) - 7);
    if (http && !insecure && host != "localhost" && !is_loopback(std::string(host)) &&
        !host.starts_with("[::1]")) {
        reader.refuse("base_url", "https (or \"insecure\": true beside it)");
    }
    return url;
}

void read_limits(JsonReader reader, GateProvider &provider)
{
    constexpr int64_t most = 1'000'000'000;
    set(provider.concurrency, reader.integer("concurrency", 0, 100'000));
    set(provider.requests_per_minute, reader.integer("requests_per_minute", 0, most));
    set(provider.tokens_per_minute, reader.integer("tokens_per_minute", 0, most));
    reader.done();
}

// A name that can stand in a JSON string, and for Gemini in a path, as it is.
bool is_model_name(std::string_view name, std::string_view family)
{
    const std::string_view signs = family == "gemini" ? "-._@" : "-._@/:+";
    return !name.empty() && std::all_of(name.begin(), name.end(), [&](char letter) {
        return std::isalnum(static_cast<unsigned char>(letter)) != 0 ||
               signs.find(letter) != std::string_view::npos;
    });
}

GateFallback read_fallback(JsonReader reader, const GateProvider &provider)
{
    GateFallback fallback;
    set(fallback.provider, reader.text("provider"));
    if (const auto model = reader.text("model")) {
        if (!is_model_name(*model, provider.family)) {
            reader.refuse("model", "the name of a model");
        }
        fallback.model = *model;
    }
    if (fallback.provider.empty() && !fallback.model.empty()) {
        fallback.provider = provider.name;
    }
    if (fallback.model.empty() && fallback.provider == provider.name) {
        reader.refuse("provider", "another provider, or a model beside it");
    }
    reader.done();
    return fallback;
}

GateProvider read_provider(JsonReader reader, const std::string &path)
{
    constexpr std::array<std::string_view, 3> families = {"anthropic", "openai",
                                                          "gemini"};
    GateProvider provider;
    provider.name = reader.required_text("name");
    if (!is_identifier(provider.name)) {
        reader.refuse("name", "letters, digits, '.', '_' and '-'");
    }
    provider.family = reader.required_text("family");
    if (std::find(families.begin(), families.end(), provider.family) == families.end()) {
        reader.refuse("family", "anthropic, openai or gemini");
    }
    provider.base_url = read_url(reader);
    set(provider.models, reader.texts("models"));
    if (const auto file = reader.text("key_file")) {
        provider.key = read_key(resolved(reader, "key_file", *file, path));
    }
    set(provider.bearer, reader.boolean("bearer"));
    set(provider.slow, reader.duration("slow"));
    if (auto limits = reader.object("limits")) {
        read_limits(*limits, provider);
    }
    if (auto timeouts = reader.object("timeouts")) {
        read_timeouts(*timeouts, provider.timeouts);
    }
    if (auto retry = reader.object("retry")) {
        read_retry(*retry, provider.retry);
    }
    for (const JsonReader &each : reader.objects("fallback", "provider")) {
        provider.fallback.push_back(read_fallback(each, provider));
    }
    reader.done();
    return provider;
}

std::string read_path(JsonReader &reader, std::string_view key, const std::string &config)
{
    const auto path = reader.text(key);
    return path ? resolved(reader, key, *path, config) : std::string();
}

void read_tcp(JsonReader reader, GateTcp &tcp, const std::string &path)
{
    set(tcp.address, reader.text("address"));
    tcp.port = static_cast<uint16_t>(reader.integer("port", 0, 65535).value_or(tcp.port));
    set(tcp.host, reader.text("host"));
    tcp.certificate = read_path(reader, "certificate", path);
    tcp.key = read_path(reader, "key", path);
    tcp.ca_file = read_path(reader, "ca_file", path);
    if (tcp.certificate.empty() != tcp.key.empty()) {
        reader.refuse("certificate", "a certificate and a key, or neither");
    }
    const bool allowed = reader.boolean("allow_non_local").value_or(false);
    if (!is_loopback(tcp.address)) {
        if (!allowed && !non_local_is_allowed()) {
            reader.refuse("address", "a loopback address such as 127.0.0.1 (or "
                                     "\"allow_non_local\": true beside it)");
        }
        // Keys of attempts, and prompts, must not travel in the clear.
        if (tcp.certificate.empty()) {
            reader.refuse("address", "a loopback address, or a certificate and a key "
                                     "beside it");
        }
    }
    reader.done();
}

void read_listen(JsonReader reader, GateConfig &config, const std::string &path)
{
    if (auto tcp = reader.object("tcp")) {
        read_tcp(*tcp, *config.tcp, path);
    } else if (reader.text("unix")) {
        config.tcp.reset();
    }
    config.unix_socket = read_path(reader, "unix", path);
    reader.done();
}

void check_fallbacks(const GateConfig &config, const std::string &path)
{
    for (size_t i = 0; i < config.providers.size(); i++) {
        const GateProvider &provider = config.providers[i];
        for (size_t j = 0; j < provider.fallback.size(); j++) {
            const GateFallback &fallback = provider.fallback[j];
            const GateProvider *other = config.provider(fallback.provider);
            const std::string place = path + ": /providers/" + std::to_string(i) +
                                      "/fallback/" + std::to_string(j) + ": expected ";
            if (other == nullptr || other->family != provider.family) {
                throw Error(ExitStatus::Config, place +
                                                    "the name of a provider of family " +
                                                    provider.family + ", got \"" +
                                                    printable(fallback.provider) + "\"");
            }
            if (!other->takes(fallback.model)) {
                throw Error(ExitStatus::Config, place + "a model that provider '" +
                                                    other->name + "' takes, got \"" +
                                                    fallback.model + "\"");
            }
        }
    }
}

void read_providers(JsonReader &reader, GateConfig &config, const std::string &path)
{
    for (const JsonReader &each : reader.objects("providers")) {
        GateProvider provider = read_provider(each, path);
        if (config.provider(provider.name) != nullptr) {
            throw Error(ExitStatus::Config, path +
                                                ": /providers: expected names that "
                                                "differ, got '" +
                                                provider.name + "' twice");
        }
        config.providers.push_back(std::move(provider));
    }
    if (config.providers.empty()) {
        reader.refuse("providers", "an array of at least one provider");
    }
    check_fallbacks(config, path);
}

void read_unknown_paths(JsonReader &reader, GateConfig &config)
{
    const std::string choice = reader.text("unknown_paths").value_or("refuse");
    if (choice != "pass" && choice != "refuse") {
        reader.refuse("unknown_paths", "\"pass\" or \"refuse\"");
    }
    config.pass_unknown_paths = choice == "pass";
}

} // namespace

bool GateProvider::takes(std::string_view model) const noexcept
{
    return models.empty() || model.empty() ||
           std::any_of(models.begin(), models.end(), [&](const std::string &start) {
               return model.starts_with(start);
           });
}

const GateProvider *GateConfig::provider(std::string_view name) const noexcept
{
    for (const GateProvider &each : providers) {
        if (each.name == name) {
            return &each;
        }
    }
    return nullptr;
}

const GateProvider *GateConfig::route(std::string_view family,
                                      std::string_view model) const noexcept
{
    for (const GateProvider &each : providers) {
        if (each.takes(model) && (family.empty() || each.family == family)) {
            return &each;
        }
    }
    return nullptr;
}

GateConfig read_gate_config(std::string_view text, const std::string &path)
{
    Json json;
    try {
        json = Json::parse(text, path);
    } catch (const Error &error) {
        throw Error(ExitStatus::Config, error.what());
    }
    GateConfig config;
    JsonReader reader(json, path);
    if (auto listen = reader.object("listen")) {
        read_listen(*listen, config, path);
    }
    read_providers(reader, config, path);
    read_unknown_paths(reader, config);
    set(config.archive, reader.boolean("archive"));
    if (auto cache = reader.object("cache")) {
        config.cache.emplace();
        set(config.cache->size, cache->integer("size", 1 << 20, int64_t{1} << 40));
        set(config.cache->shared, cache->boolean("shared"));
        cache->done();
    }
    set(config.min_output, reader.integer("min_output", 1, 1'000'000));
    set(config.refuse_unknown_models, reader.boolean("refuse_unknown_models"));
    config.prices = read_path(reader, "prices", path);
    config.body_limit = static_cast<size_t>(
        reader.integer("body_limit", 1024, int64_t{1} << 30).value_or(32 << 20));
    config.connections =
        static_cast<unsigned>(reader.integer("connections", 1, 100'000).value_or(2048));
    if (const auto loops = reader.integer("loops", 1, 64)) {
        config.loops = static_cast<size_t>(*loops);
    }
    set(config.budget_wait, reader.duration("budget_wait"));
    set(config.drain, reader.duration("drain"));
    if (const auto longest = reader.integer("busy_poll_us", 0, 1000)) {
        config.busy_poll = std::chrono::microseconds(*longest);
    }
    config.ca_file = read_path(reader, "ca_file", path);
    set(config.proxy, reader.text("proxy"));
    reader.done();
    return config;
}

size_t default_loops() noexcept
{
    constexpr int most = 4;
    cpu_set_t processors;
    const bool known = sched_getaffinity(0, sizeof processors, &processors) == 0;
    return static_cast<size_t>(std::clamp(known ? CPU_COUNT(&processors) : 1, 1, most));
}

GateConfig load_gate_config(const std::string &path)
{
    return read_gate_config(read_file(path, largest_config), path);
}

} // namespace ap
