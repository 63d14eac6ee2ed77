#include "check.hh"

#include "domain/dialect.hh"

using namespace ap;

namespace {

std::string told(std::string_view method, std::string_view path)
{
    const Route route = route_of(method, path);
    return std::string(dialect_name(route.dialect)) +
           (route.model.empty() ? "" : " " + std::string(route.model)) +
           (route.sse ? " sse" : "");
}

void every_known_path_has_its_dialect()
{
    CHECK_EQUAL(told("POST", "/v1/messages"), "anthropic-messages");
    CHECK_EQUAL(told("POST", "/v1/messages?beta=true"), "anthropic-messages");
    CHECK_EQUAL(told("POST", "/v1/messages/count_tokens?beta=true"), "count-tokens");
    CHECK_EQUAL(told("POST", "/v1/chat/completions"), "openai-chat");
    CHECK_EQUAL(told("POST", "/chat/completions"), "openai-chat");
    CHECK_EQUAL(told("POST", "/v1/responses"), "openai-responses");
    CHECK_EQUAL(told("POST", "/v1/embeddings"), "openai-embeddings");
    CHECK_EQUAL(told("GET", "/v1/models"), "models");
    CHECK_EQUAL(told("GET", "/v1beta/models/gemini-2.5-pro"), "models gemini-2.5-pro");
}

void gemini_names_the_model_in_the_path()
{
    CHECK_EQUAL(told("POST", "/v1beta/models/gemini-2.5-pro:generateContent"),
                "gemini gemini-2.5-pro");
    CHECK_EQUAL(told("POST", "/v1beta/models/m:streamGenerateContent?alt=sse"),
                "gemini-stream m sse");
    CHECK_EQUAL(told("POST", "/v1beta/models/m:streamGenerateContent?key=k&alt=sse"),
                "gemini-stream m sse");
    CHECK_EQUAL(told("POST", "/v1beta/models/m:streamGenerateContent"),
                "gemini-stream m");
    CHECK_EQUAL(told("POST", "/v1beta/models/m:countTokens"), "count-tokens m");
}

void everything_else_is_other()
{
    for (const std::string_view path :
         {"", "/", "/v1", "/v1/", "/v1/messagesx", "/v1/messages/", "/v2/messages",
          "/v1beta/models/m:embed", "/v1beta/models/:generateContent", "/v1beta/models/m",
          "/v1/files", "v1/messages", "/v1/models:generateContent"}) {
        CHECK_EQUAL(told("POST", path), "other");
    }
    CHECK_EQUAL(told("GET", "/v1/messages"), "other");
    CHECK_EQUAL(told("HEAD", "/"), "other");
}

void only_calls_that_are_paid_for_are_metered()
{
    CHECK(is_metered(Dialect::AnthropicMessages));
    CHECK(is_metered(Dialect::OpenAiEmbeddings));
    CHECK(is_metered(Dialect::GeminiStream));
    CHECK(!is_metered(Dialect::CountTokens));
    CHECK(!is_metered(Dialect::Models));
    CHECK(!is_metered(Dialect::Other));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(every_known_path_has_its_dialect),
        TEST(gemini_names_the_model_in_the_path),
        TEST(everything_else_is_other),
        TEST(only_calls_that_are_paid_for_are_metered),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
