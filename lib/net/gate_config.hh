#pragma once

#include "domain/dialect.hh"
#include "wrap/http_transfer.hh"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// How often and how fast a call is tried again while nothing of an answer was passed on.
struct GateRetry
{
    int64_t attempts = 3; ///< at most, over all routes, the first too
    std::vector<int64_t> statuses{429, 500, 502, 503, 504, 529};
    std::chrono::milliseconds backoff{500}; ///< before the second try, then doubled
    std::chrono::milliseconds longest{
        20'000}; ///< a Retry-After beyond it is not waited for
};

/// Where calls go that their provider cannot take.
struct GateFallback
{
    std::string provider; ///< its name
    std::string model;    ///< asked for there; empty: the one the client asked for
};

/// A provider of models.
struct GateProvider
{
    std::string name;                ///< an identifier
    std::string family;              ///< "anthropic", "openai" or "gemini"
    std::string base_url;            ///< without a slash at the end
    std::vector<std::string> models; ///< beginnings of models' names; empty: all
    std::string key;                 ///< read from key_file; empty without one
    bool bearer = false;             ///< the key goes into Authorization
    int64_t concurrency = 0;         ///< calls at once; 0: no limit
    int64_t requests_per_minute = 0;
    int64_t tokens_per_minute = 0; ///< of input bound and output limit together
    HttpTimeouts timeouts;
    std::chrono::milliseconds slow{0}; ///< a call that takes longer is slow; 0: none
    GateRetry retry;
    std::vector<GateFallback> fallback; ///< tried in this order

    /// Whether it takes the model (empty: any).
    bool takes(std::string_view model) const noexcept;
};

struct GateTcp
{
    std::string address = "127.0.0.1";
    uint16_t port = 4141;
    std::string certificate{}; ///< paths of PEM files; empty: no TLS
    std::string key{};
    std::string ca_file{}; ///< for clients: what to trust; empty: the system's
    std::string host{};    ///< for clients: the certificate's name; empty: the address
};

/// Whether and how answers are kept.
struct GateCache
{
    int64_t size = int64_t{256} << 20; ///< bytes of all answers together
    bool shared = false;               ///< runs are given each other's answers
};

/// As many event loops as there are processors for the process, 4 at most.
size_t default_loops() noexcept;

/// What ap-gate.conf(5) says.
struct GateConfig
{
    std::optional<GateTcp> tcp = GateTcp{};
    std::string unix_socket{}; ///< path; empty: none
    std::vector<GateProvider> providers;
    bool pass_unknown_paths = false;
    bool archive = false;
    std::optional<GateCache> cache{}; ///< nothing: no answer is kept
    int64_t min_output = 256;
    bool refuse_unknown_models = false; ///< those without a price
    std::string prices{}; ///< path; by default the list installed with the suite
    size_t body_limit = 32 << 20;
    unsigned connections = 2048;
    size_t loops = default_loops(); ///< event loops, each on a thread
    std::chrono::milliseconds budget_wait{60'000};
    std::chrono::milliseconds drain{30'000};
    std::chrono::microseconds busy_poll{100}; ///< see PollSet::poll_first()
    std::string ca_file{};
    std::string proxy{};

    /// The provider with that name; null if there is none.
    const GateProvider *provider(std::string_view name) const noexcept;

    /// The first provider of the family that takes the model (empty: any); null if none.
    const GateProvider *route(std::string_view family,
                              std::string_view model) const noexcept;
};

/// Reads a configuration, and the key files it names, relative ones against the directory
/// of `path`; "credential:NAME" is $CREDENTIALS_DIRECTORY/NAME. Throws Error(Config)
/// "PATH: line L, ..." for what is no JSON, "PATH: /providers/0/base_url: expected ...,
/// got
/// ..." for a member that is unknown, missing, or of a wrong type or range, and
/// SystemError for a file that cannot be read.
GateConfig load_gate_config(const std::string &path);

/// As load_gate_config(), from text.
GateConfig read_gate_config(std::string_view text, const std::string &path);

} // namespace ap
