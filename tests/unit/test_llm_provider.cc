#include "check.hh"
#include "support.hh"

#include "domain/llm_provider.hh"

#include <sys/stat.h>

using namespace ap;

namespace {

constexpr std::string_view config = R"({
    "default_model": "claude-default",
    "providers": {
        "anthropic": {"dialect": "anthropic", "models": ["claude-"],
                      "base_url": "https://a", "base_url_variable": "TEST_BASE",
                      "key_variable": "TEST_KEY"},
        "big": {"dialect": "openai", "models": ["gpt-"], "base_url": "http://b/v1/"},
        "special": {"dialect": "openai", "models": ["gpt-special-"]},
        "google": {"dialect": "gemini", "models": []}}})";

LlmProviders providers()
{
    return LlmProviders::from_json(Json::parse(config, "c"), "c");
}

void check_found(const std::optional<std::string> &name, const std::string &provider,
                 const std::string &model)
{
    const LlmProviders all = providers();
    const LlmModel found = all.find(name);
    CHECK_EQUAL(found.provider->name, provider);
    CHECK_EQUAL(found.name, model);
}

void finds_a_model_by_the_longest_beginning()
{
    check_found("claude-x", "anthropic", "claude-x");
    check_found("gpt-5", "big", "gpt-5");
    check_found("gpt-special-1", "special", "gpt-special-1");
    check_found(std::nullopt, "anthropic", "claude-default");
}

void finds_a_model_by_its_providers_name()
{
    check_found("google/anything", "google", "anything");
    check_found("big/claude-x", "big", "claude-x");
    check_found("big/org/model", "big", "org/model");
}

void refuses_a_model_that_nobody_has()
{
    const LlmProviders all = providers();
    const auto is_config = [](const Error &error) {
        CHECK(error.status() == ExitStatus::Config);
    };
    CHECK_THROWS(all.find("llama"), Error, is_config);
    CHECK_THROWS(all.find("nobody/gpt"), Error, is_config);
}

void names_what_is_wrong_with_the_configuration()
{
    const auto refuses = [](const std::string &text, std::string_view expected) {
        CHECK_THROWS(LlmProviders::from_json(Json::parse(text, "c"), "c"), Error,
                     [&](const Error &error) {
                         CHECK(error.status() == ExitStatus::Config);
                         CHECK_EQUAL(std::string_view(error.what()), expected);
                     });
    };
    refuses("[]", "c: expected an object with providers, got []");
    refuses(R"({"providers": {}, "models": 1})", "c: unknown member 'models'");
    refuses(R"({"providers": {"x": {"dialect": "openai", "url": "y"}}})",
            "c: /providers/x: unknown member 'url'");
    refuses(R"({"providers": {"x": {}}})",
            "c: /providers/x/dialect: expected anthropic, openai or gemini, got nothing");
    refuses(R"({"providers": {"x": {"dialect": "openai", "models": "gpt"}}})",
            R"(c: /providers/x/models: expected an array of strings, got "gpt")");
}

void the_environment_goes_before_the_file()
{
    const LlmProviders all = providers();
    const LlmProvider &provider = *all.find("claude-x").provider;
    setenv("TEST_KEY", "sk-1", 1);
    CHECK_EQUAL(endpoint_of(provider).base_url, "https://a");
    setenv("TEST_BASE", "http://127.0.0.1:1/", 1);
    const LlmEndpoint endpoint = endpoint_of(provider);
    CHECK_EQUAL(endpoint.base_url, "http://127.0.0.1:1");
    CHECK_EQUAL(endpoint.key, "sk-1");
    CHECK(!endpoint.gateway);
    setenv("TEST_KEY", ("apk-" + std::string(43, 'x')).c_str(), 1);
    CHECK(endpoint_of(provider).gateway);
    unsetenv("TEST_KEY");
    unsetenv("TEST_BASE");
    CHECK_THROWS(endpoint_of(provider), Error, [](const Error &error) {
        CHECK(error.status() == ExitStatus::NoPermission);
    });
}

void a_provider_may_need_no_key()
{
    const LlmProviders all = providers();
    const LlmEndpoint endpoint = endpoint_of(*all.find("gpt-x").provider);
    CHECK_EQUAL(endpoint.key, "");
    CHECK_EQUAL(endpoint.base_url, "http://b/v1");
}

void a_key_file_must_be_private()
{
    const check::TemporaryDirectory directory;
    const std::string path = directory.file("key");
    LlmProvider provider;
    provider.base_url = "http://b";
    provider.key_file = path;
    replace_file(path, "sk-file \nmore\n", 0600);
    CHECK_EQUAL(endpoint_of(provider).key, "sk-file");
    CHECK_EQUAL(chmod(path.c_str(), 0644), 0);
    CHECK_THROWS(endpoint_of(provider), Error,
                 [](const Error &error) { CHECK(error.status() == ExitStatus::Config); });
}

void reads_the_configuration_that_is_shipped()
{
    const char *source = std::getenv("AP_SOURCE");
    CHECK(source != nullptr);
    const auto all = LlmProviders::load(join_path(source, "contrib/llm.json"));
    CHECK(all.find("gemini-x").provider->dialect == LlmDialect::Gemini);
    CHECK(all.find(std::nullopt).provider->dialect == LlmDialect::Anthropic);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(finds_a_model_by_the_longest_beginning),
        TEST(finds_a_model_by_its_providers_name),
        TEST(refuses_a_model_that_nobody_has),
        TEST(names_what_is_wrong_with_the_configuration),
        TEST(the_environment_goes_before_the_file),
        TEST(a_provider_may_need_no_key),
        TEST(a_key_file_must_be_private),
        TEST(reads_the_configuration_that_is_shipped),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
