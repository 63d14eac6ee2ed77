#include "check.hh"
#include "support.hh"

#include "net/gate_config.hh"

using namespace ap;
using namespace std::chrono_literals;

namespace {

GateConfig read(const std::string &text)
{
    return read_gate_config(text, "/etc/ap-gate.conf");
}

// What is wrong with a provider that has `member` besides what it needs.
std::string fault_of_provider(const std::string &member)
{
    try {
        read(R"({"providers": [{"name": "a", "family": "anthropic", )" + member + "}]}");
    } catch (const Error &error) {
        CHECK(error.status() == ExitStatus::Config);
        return error.what();
    }
    return "";
}

std::string fault_of(const std::string &member)
{
    try {
        read(R"({"providers": [{"name": "a", "family": "anthropic", "base_url":
             "https://a"}], )" +
             member + "}");
    } catch (const Error &error) {
        CHECK(error.status() == ExitStatus::Config);
        return error.what();
    }
    return "";
}

void a_provider_is_all_that_is_needed()
{
    const GateConfig config = read(R"({"providers": [{"name": "main",
        "family": "anthropic", "base_url": "https://api.anthropic.com/"}]})");
    CHECK_EQUAL(config.providers.size(), 1u);
    const GateProvider &provider = config.providers[0];
    CHECK_EQUAL(provider.base_url, "https://api.anthropic.com");
    CHECK_EQUAL(provider.retry.attempts, 3);
    CHECK_EQUAL(config.tcp->address, "127.0.0.1");
    CHECK_EQUAL(config.tcp->port, 4141);
    CHECK(!config.pass_unknown_paths && !config.archive && !config.cache);
    CHECK(config.loops >= 1 && config.loops <= 4);
}

void everything_can_be_said()
{
    const check::TemporaryDirectory directory;
    replace_file(directory.file("key"), "  sk-secret\n");
    const GateConfig config = read_gate_config(
        R"({"listen": {"tcp": {"address": "::1", "port": 0}, "unix": "gate.sock"},
            "providers": [
              {"name": "one", "family": "openai", "base_url": "http://127.0.0.1:9/x",
               "models": ["gpt-"], "key_file": "key", "bearer": true, "slow": "20s",
               "limits": {"concurrency": 4, "requests_per_minute": 60,
                          "tokens_per_minute": 90000},
               "timeouts": {"connect": "2s", "first_byte": 90, "idle": "500ms"},
               "retry": {"attempts": 5, "statuses": [503], "backoff": "1s",
                         "longest": "1m"},
               "fallback": ["two", {"model": "gpt-4o"},
                            {"provider": "two", "model": "o3-mini"}]},
              {"name": "two", "family": "openai", "base_url": "https://b"}],
            "unknown_paths": "pass", "archive": true,
            "cache": {"size": 2000000, "shared": true},
            "min_output": 10, "refuse_unknown_models": true, "prices": "p.json",
            "body_limit": 2048, "connections": 5, "budget_wait": "3s", "drain": 1,
            "busy_poll_us": 40, "loops": 3, "ca_file": "/ca.pem", "proxy": "http://proxy:3128"})",
        directory.file("ap-gate.conf"));
    CHECK_EQUAL(config.unix_socket, directory.file("gate.sock"));
    const GateProvider &one = config.providers[0];
    CHECK_EQUAL(one.key, "sk-secret");
    CHECK(one.bearer);
    CHECK(one.slow == 20s);
    CHECK_EQUAL(one.tokens_per_minute, 90000);
    CHECK(one.timeouts.first_byte == 90s);
    CHECK(one.timeouts.idle == 500ms);
    CHECK(one.retry.statuses == std::vector<int64_t>{503});
    CHECK(one.retry.longest == 1min);
    CHECK_EQUAL(one.fallback.size(), 3u);
    CHECK_EQUAL(one.fallback[0].provider, "two");
    CHECK_EQUAL(one.fallback[0].model, "");
    CHECK_EQUAL(one.fallback[1].provider, "one");
    CHECK_EQUAL(one.fallback[1].model, "gpt-4o");
    CHECK_EQUAL(one.fallback[2].provider, "two");
    CHECK_EQUAL(one.fallback[2].model, "o3-mini");
    CHECK(config.pass_unknown_paths && config.archive && config.refuse_unknown_models);
    CHECK(config.cache && config.cache->size == 2'000'000 && config.cache->shared);
    CHECK_EQUAL(config.prices, directory.file("p.json"));
    CHECK_EQUAL(config.body_limit, 2048u);
    CHECK(config.budget_wait == 3s && config.drain == 1s);
    CHECK(config.busy_poll == 40us);
    CHECK_EQUAL(config.loops, 3u);
    CHECK_EQUAL(config.ca_file, "/ca.pem");
    CHECK_EQUAL(config.proxy, "http://proxy:3128");
}

void a_key_may_be_a_credential_of_the_service_manager()
{
    const check::TemporaryDirectory directory;
    replace_file(directory.file("anthropic"), "sk-credential\n");
    setenv("CREDENTIALS_DIRECTORY", directory.path().c_str(), 1);
    const GateConfig config = read(R"({"providers": [{"name": "a", "family": "anthropic",
        "base_url": "https://a", "key_file": "credential:anthropic"}]})");
    unsetenv("CREDENTIALS_DIRECTORY");
    CHECK_EQUAL(config.providers[0].key, "sk-credential");
}

void a_model_goes_to_the_first_provider_that_takes_it()
{
    const GateConfig config = read(R"({"providers": [
        {"name": "a", "family": "openai", "base_url": "https://a", "models": ["gpt-4"]},
        {"name": "b", "family": "openai", "base_url": "https://b"},
        {"name": "c", "family": "gemini", "base_url": "https://c", "models": ["gem"]}]})");
    CHECK_EQUAL(config.route("openai", "gpt-4o")->name, "a");
    CHECK_EQUAL(config.route("openai", "o3")->name, "b");
    CHECK_EQUAL(config.route("openai", "")->name, "a");
    CHECK_EQUAL(config.route("gemini", "gemini-2")->name, "c");
    CHECK(config.route("gemini", "other") == nullptr);
    CHECK(config.route("anthropic", "claude") == nullptr);
}

void what_is_wrong_is_told_with_its_place()
{
    const std::string file = "/etc/ap-gate.conf: ";
    CHECK_EQUAL(fault_of_provider(R"("base_url": "ftp://x")"),
                file + "/providers/0/base_url: expected an http or https URL without a "
                       "query, got \"ftp://x\"");
    CHECK_EQUAL(fault_of_provider(R"("base_url": "http://far.example")"),
                file + "/providers/0/base_url: expected https (or \"insecure\": true "
                       "beside it), got \"http://far.example\"");
    CHECK_EQUAL(fault_of_provider(R"("base_url": "http://127.0.0.1.evil.example")"),
                file + "/providers/0/base_url: expected https (or \"insecure\": true "
                       "beside it), got \"http://127.0.0.1.evil.example\"");
    CHECK_EQUAL(fault_of_provider(R"("base_ur": "https://x")"),
                file + "/providers/0/base_url: expected a string, got nothing");
    CHECK_EQUAL(fault_of_provider(R"("base_url": "https://x", "timeouts": {"idel": 3})"),
                file +
                    "/providers/0/timeouts/idel: unknown member; did you mean 'idle'?");
    CHECK_EQUAL(fault_of_provider(R"("base_url": "https://x", "limits": 3)"),
                file + "/providers/0/limits: expected an object, got 3");
    CHECK_EQUAL(fault_of_provider(R"("base_url": "https://x", "fallback": ["none"])"),
                file + "/providers/0/fallback/0: expected the name of a provider of "
                       "family anthropic, got \"none\"");
    CHECK_EQUAL(fault_of_provider(R"("base_url": "https://x", "fallback": ["a"])"),
                file + "/providers/0/fallback/0/provider: expected another provider, or "
                       "a model beside it, got \"a\"");
    CHECK_EQUAL(fault_of_provider(R"("base_url": "https://x",
                    "fallback": [{"model": "x y"}])"),
                file + "/providers/0/fallback/0/model: expected the name of a model, got "
                       "\"x y\"");
    CHECK_EQUAL(fault_of_provider(R"("base_url": "https://x", "models": ["claude"],
                    "fallback": [{"model": "gpt"}])"),
                file + "/providers/0/fallback/0: expected a model that provider 'a' "
                       "takes, got \"gpt\"");
    CHECK_EQUAL(fault_of(R"("unknown_paths": "maybe")"),
                file + "/unknown_paths: expected \"pass\" or \"refuse\", got \"maybe\"");
    CHECK_EQUAL(fault_of(R"("min_output": 0)"),
                file + "/min_output: expected a whole number from 1 to 1000000, got 0");
    CHECK_EQUAL(fault_of(R"("busy_poll_us": 1001)"),
                file + "/busy_poll_us: expected a whole number from 0 to 1000, got 1001");
    CHECK_EQUAL(fault_of(R"("drain": "soon")"),
                file + "/drain: expected a duration such as \"90s\" or a number of "
                       "seconds, got \"soon\"");
    CHECK_EQUAL(fault_of(R"("listen": {"tcp": {"address": "0.0.0.0"}})"),
                file + "/listen/tcp/address: expected a loopback address such as "
                       "127.0.0.1 (or \"allow_non_local\": true beside it), got "
                       "\"0.0.0.0\"");
    CHECK_EQUAL(fault_of(R"("listen": {"tcp": {"address": "0.0.0.0",
                                             "allow_non_local": true}})"),
                file + "/listen/tcp/address: expected a loopback address, or a "
                       "certificate and a key beside it, got \"0.0.0.0\"");
    CHECK_EQUAL(fault_of(R"("listen": {"tcp": {"certificate": "a.crt"}})"),
                file + "/listen/tcp/certificate: expected a certificate and a key, or "
                       "neither, got \"a.crt\"");
    CHECK_EQUAL(fault_of(R"("archive": 1)"),
                file + "/archive: expected true or false, got 1");
    CHECK(fault_of(R"("archive": tru)").find(": line 2, column ") != std::string::npos);
}

void a_key_that_is_none_is_refused()
{
    const check::TemporaryDirectory directory;
    for (const char *text : {"", "two words", "two\nlines"}) {
        replace_file(directory.file("key"), text);
        CHECK_THROWS(
            read_gate_config(R"({"providers": [{"name": "a", "family": "anthropic",
                "base_url": "https://a", "key_file": "key"}]})",
                             directory.file("ap-gate.conf")),
            Error, [&](const Error &error) {
                CHECK(error.status() == ExitStatus::Config);
                CHECK_EQUAL(std::string(error.what()),
                            directory.file("key") + ": expected a key in one line");
            });
    }
}

void names_differ()
{
    CHECK_THROWS(read(R"({"providers": [
        {"name": "a", "family": "openai", "base_url": "https://a"},
        {"name": "a", "family": "openai", "base_url": "https://b"}]})"),
                 Error, [](const Error &error) {
                     CHECK_EQUAL(std::string(error.what()),
                                 "/etc/ap-gate.conf: /providers: expected names that "
                                 "differ, got 'a' twice");
                 });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_provider_is_all_that_is_needed),
        TEST(everything_can_be_said),
        TEST(a_key_may_be_a_credential_of_the_service_manager),
        TEST(a_model_goes_to_the_first_provider_that_takes_it),
        TEST(what_is_wrong_is_told_with_its_place),
        TEST(a_key_that_is_none_is_refused),
        TEST(names_differ),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
