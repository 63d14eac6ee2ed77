#include "check.hh"

#include "domain/llm_request.hh"

#include <algorithm>

using namespace ap;

namespace {

const LlmEndpoint endpoint{"http://h", "sk-key", false};

LlmPrompt prompt()
{
    LlmPrompt prompt;
    prompt.model = "m";
    prompt.text = "say \"hi\"\n";
    prompt.system = "be brief";
    prompt.max_tokens = 12;
    return prompt;
}

std::string field(const LlmRequest &request, std::string_view name)
{
    const auto found = std::find_if(request.fields.begin(), request.fields.end(),
                                    [&](const auto &each) { return each.first == name; });
    return found == request.fields.end() ? "(none)" : found->second;
}

void writes_anthropics_messages()
{
    const LlmRequest request =
        make_llm_request(LlmDialect::Anthropic, endpoint, prompt());
    CHECK_EQUAL(request.url, "http://h/v1/messages");
    CHECK_EQUAL(field(request, "x-api-key"), "sk-key");
    CHECK_EQUAL(field(request, "anthropic-version"), "2023-06-01");
    CHECK_EQUAL(request.body,
                R"({"model":"m","max_tokens":12,"stream":true,"system":"be brief",)"
                R"("messages":[{"role":"user","content":"say \"hi\"\n"}]})");
}

void writes_openais_chat()
{
    const LlmRequest request = make_llm_request(LlmDialect::OpenAi, endpoint, prompt());
    CHECK_EQUAL(request.url, "http://h/chat/completions");
    CHECK_EQUAL(field(request, "authorization"), "Bearer sk-key");
    CHECK_EQUAL(request.body,
                R"({"model":"m","stream":true,"stream_options":{"include_usage":true},)"
                R"("messages":[{"role":"system","content":"be brief"},)"
                R"({"role":"user","content":"say \"hi\"\n"}],"max_tokens":12})");
}

void writes_geminis_stream()
{
    const LlmRequest request = make_llm_request(LlmDialect::Gemini, endpoint, prompt());
    CHECK_EQUAL(request.url, "http://h/v1beta/models/m:streamGenerateContent?alt=sse");
    CHECK_EQUAL(field(request, "x-goog-api-key"), "sk-key");
    CHECK_EQUAL(request.body,
                R"({"systemInstruction":{"parts":[{"text":"be brief"}]},)"
                R"("contents":[{"role":"user","parts":[{"text":"say \"hi\"\n"}]}],)"
                R"("generationConfig":{"maxOutputTokens":12}})");
}

void continues_a_conversation()
{
    LlmPrompt long_prompt = prompt();
    long_prompt.turns = {{"one", "go on"}};
    const auto ends_with = [&](LlmDialect dialect, std::string_view expected) {
        const std::string body = make_llm_request(dialect, endpoint, long_prompt).body;
        CHECK(body.find(expected) != std::string::npos);
    };
    for (const LlmDialect dialect : {LlmDialect::Anthropic, LlmDialect::OpenAi}) {
        ends_with(dialect, R"("content":"say \"hi\"\n"},)"
                           R"({"role":"assistant","content":"one"},)"
                           R"({"role":"user","content":"go on"}])");
    }
    ends_with(LlmDialect::Gemini, R"({"role":"model","parts":[{"text":"one"}]},)"
                                  R"({"role":"user","parts":[{"text":"go on"}]}])");
}

void leaves_out_what_the_prompt_has_not()
{
    LlmPrompt plain;
    plain.model = "m";
    plain.text = "x";
    for (const LlmDialect dialect : {LlmDialect::OpenAi, LlmDialect::Gemini}) {
        const LlmRequest request = make_llm_request(dialect, endpoint, plain);
        CHECK(request.body.find("ystem") == std::string::npos);
        CHECK(request.body.find("ax") == std::string::npos);
    }
    // Anthropic insists on a limit.
    const LlmRequest request = make_llm_request(LlmDialect::Anthropic, endpoint, plain);
    CHECK(request.body.find("\"max_tokens\":8192") != std::string::npos);
}

void sends_no_key_where_there_is_none()
{
    const LlmRequest request =
        make_llm_request(LlmDialect::OpenAi, {"http://h", "", false}, prompt());
    CHECK_EQUAL(field(request, "authorization"), "(none)");
    CHECK_EQUAL(field(request, "content-type"), "application/json");
}

void names_openais_limit_as_its_own_models_want_it()
{
    const LlmRequest request = make_llm_request(
        LlmDialect::OpenAi, {"https://api.openai.com/v1", "sk", false}, prompt());
    CHECK(request.body.find("\"max_completion_tokens\":12") != std::string::npos);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(writes_anthropics_messages),
        TEST(writes_openais_chat),
        TEST(writes_geminis_stream),
        TEST(continues_a_conversation),
        TEST(leaves_out_what_the_prompt_has_not),
        TEST(sends_no_key_where_there_is_none),
        TEST(names_openais_limit_as_its_own_models_want_it),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
