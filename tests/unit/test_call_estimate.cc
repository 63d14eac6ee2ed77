#include "check.hh"

#include "base/error.hh"
#include "domain/call_estimate.hh"
#include "wrap/json.hh"

using namespace ap;

namespace {

constexpr std::string_view gemini_path = "/v1beta/models/gemini-2.5-pro:generateContent";

CallEstimate estimate(std::string_view path, std::string_view body)
{
    return estimate_call(route_of("POST", path), body);
}

std::string with_limit(std::string_view path, std::string_view body, int64_t limit)
{
    return apply_edits(body, {limit_edit(estimate(path, body), limit)});
}

std::string asking_usage(std::string_view body)
{
    const auto edit = usage_edit(estimate("/v1/chat/completions", body));
    return edit ? apply_edits(body, {*edit}) : "nothing";
}

void the_body_says_model_stream_and_limit()
{
    const CallEstimate call =
        estimate("/v1/messages", R"({"model":"claude-x","stream":true,"max_tokens":1024,
            "messages":[{"role":"user","content":"hello"}]})");
    CHECK_EQUAL(call.model, "claude-x");
    CHECK(call.stream);
    CHECK_EQUAL(*call.max_tokens, 1024);
    CHECK_EQUAL(call.choices, 1);
    const CallEstimate chat = estimate(
        "/v1/chat/completions", R"({"n":3,"max_completion_tokens":1e3,"model":"m"})");
    CHECK_EQUAL(*chat.max_tokens, 1000);
    CHECK_EQUAL(chat.choices, 3);
    CHECK(!chat.stream);
    const CallEstimate gemini = estimate(
        gemini_path, R"({"generationConfig":{"candidateCount":2,"maxOutputTokens":50}})");
    CHECK_EQUAL(gemini.model, "gemini-2.5-pro");
    CHECK_EQUAL(*gemini.max_tokens, 50);
    CHECK_EQUAL(gemini.choices, 2);
    CHECK(!estimate("/v1/responses", R"({"model":"m","max_output_tokens":null})")
               .max_tokens);
}

void only_members_of_their_place_count()
{
    const CallEstimate call =
        estimate("/v1/messages", R"({"metadata":{"max_tokens":5,"model":"other","n":9},
            "model":"m","messages":[{"max_tokens":6,"stream":true}]})");
    CHECK(!call.max_tokens);
    CHECK_EQUAL(call.model, "m");
    CHECK(!call.stream);
    CHECK_EQUAL(call.choices, 1);
}

void the_limit_is_replaced_in_place_and_nothing_else_changes()
{
    const std::string_view body = "{ \"a\" : [1 ,2], \"max_t\\u006fkens\" :\t4096 , "
                                  "\"b\":\"\xc3\xa9\\ud83d\\ude00\" }\n";
    CHECK_EQUAL(with_limit("/v1/messages", body, 77),
                "{ \"a\" : [1 ,2], \"max_t\\u006fkens\" :\t77 , "
                "\"b\":\"\xc3\xa9\\ud83d\\ude00\" }\n");
    CHECK_EQUAL(
        with_limit("/v1/chat/completions", R"({"max_completion_tokens":null})", 9),
        R"({"max_completion_tokens":9})");
    CHECK_EQUAL(
        with_limit(gemini_path, R"({"generation_config":{"max_output_tokens":8}})", 9),
        R"({"generation_config":{"max_output_tokens":9}})");
}

void the_model_is_replaced_in_place_and_nothing_else_changes()
{
    const std::string_view body = "{ \"a\":{\"model\":1}, \"mod\\u0065l\" : "
                                  "\"one\\/x\" ,\"b\":\"\xc3\xa9\"}\n";
    const CallEstimate call = estimate("/v1/messages", body);
    CHECK_EQUAL(call.model, "one/x");
    CHECK_EQUAL(apply_edits(body, {model_edit(call, "two")}),
                "{ \"a\":{\"model\":1}, \"mod\\u0065l\" : "
                "\"two\" ,\"b\":\"\xc3\xa9\"}\n");
    CHECK_EQUAL(estimate("/v1/messages", "{}").model_place.length, 0u);
    CHECK_EQUAL(estimate(gemini_path, R"({"model":"m"})").model_place.length, 0u);
}

void a_missing_limit_is_inserted_under_the_name_that_is_known()
{
    CHECK_EQUAL(with_limit("/v1/messages", R"( {"model":"m"})", 9),
                R"( {"max_tokens":9,"model":"m"})");
    CHECK_EQUAL(with_limit("/v1/messages", "{ }", 9), R"({"max_tokens":9 })");
    CHECK_EQUAL(with_limit("/v1/chat/completions", R"({"model":"gpt-4o"})", 9),
                R"({"max_tokens":9,"model":"gpt-4o"})");
    CHECK_EQUAL(with_limit("/v1/chat/completions", R"({"model":"openai/o3-mini"})", 9),
                R"({"max_completion_tokens":9,"model":"openai/o3-mini"})");
    CHECK_EQUAL(with_limit("/v1/responses", R"({"model":"m"})", 99),
                R"({"max_output_tokens":99,"model":"m"})");
    CHECK_EQUAL(with_limit(gemini_path, R"({"contents":[]})", 9),
                R"({"generationConfig":{"maxOutputTokens":9},"contents":[]})");
    CHECK_EQUAL(with_limit(gemini_path, R"({"generationConfig":{}})", 9),
                R"({"generationConfig":{"maxOutputTokens":9}})");
    CHECK_EQUAL(with_limit(gemini_path, R"({"generationConfig":{"topK":1}})", 9),
                R"({"generationConfig":{"maxOutputTokens":9,"topK":1}})");
    CHECK_EQUAL(with_limit(gemini_path, R"({"generationConfig":null})", 9),
                R"({"generationConfig":{"maxOutputTokens":9}})");
}

void a_chat_stream_is_asked_for_its_usage_once()
{
    CHECK_EQUAL(asking_usage(R"({"stream":true})"),
                R"({"stream_options":{"include_usage":true},"stream":true})");
    CHECK_EQUAL(asking_usage(R"({"stream":true,"stream_options":{}})"),
                R"({"stream":true,"stream_options":{"include_usage":true}})");
    CHECK_EQUAL(asking_usage(R"({"stream":true,"stream_options":{"x":1}})"),
                R"({"stream":true,"stream_options":{"include_usage":true,"x":1}})");
    CHECK_EQUAL(asking_usage(R"({"stream":true,"stream_options":null})"),
                R"({"stream":true,"stream_options":{"include_usage":true}})");
    CHECK_EQUAL(
        asking_usage(R"({"stream_options":{"include_usage":false},"stream":true})"),
        R"({"stream_options":{"include_usage":true},"stream":true})");
    CHECK_EQUAL(
        asking_usage(R"({"stream_options":{"include_usage":true},"stream":true})"),
        "nothing");
    CHECK_EQUAL(asking_usage(R"({"stream":false})"), "nothing");
    CHECK_EQUAL(asking_usage("{}"), "nothing");
}

void both_edits_at_one_place_leave_json()
{
    for (const std::string_view body :
         {R"({"stream":true,"model":"m"})", R"({"stream":true})"}) {
        const CallEstimate call = estimate("/v1/chat/completions", body);
        const std::string edited =
            apply_edits(body, {limit_edit(call, 5), usage_edit(call).value()});
        const Json json = Json::parse(edited, "edited");
        CHECK_EQUAL(json.get_integer("max_tokens").value_or(0), 5);
        CHECK(json.get("stream_options").get_boolean("include_usage").value_or(false));
    }
}

void what_the_cost_depends_on_may_not_be_given_twice()
{
    for (const std::string_view body :
         {R"({"max_tokens":1,"max_tokens":2})", R"({"max_tokens":1,"max_t\u006fkens":2})",
          R"({"max_tokens":1,"max_completion_tokens":2})", R"({"model":"a","model":"b"})",
          R"({"n":1,"n":2})", R"({"stream":true,"stream":false})",
          R"({"stream_options":{},"stream_options":{}})"}) {
        CHECK_THROWS(estimate("/v1/chat/completions", body), Error,
                     [](const Error &error) {
                         CHECK_EQUAL(error.status(), ExitStatus::BadData);
                         CHECK(std::string(error.what()).ends_with(" is given twice"));
                     });
    }
    CHECK_THROWS(
        estimate(gemini_path, R"({"generationConfig":{},"generation_config":{}})"), Error,
        [](const Error &) {});
    CHECK_THROWS(
        estimate(gemini_path,
                 R"({"generationConfig":{"maxOutputTokens":1,"max_output_tokens":2}})"),
        Error, [](const Error &) {});
    estimate("/v1/messages", R"({"tools":[{"x":1,"x":2}],"n":1,"y":0,"y":0})");
}

void wrong_types_and_no_json_are_refused()
{
    for (const std::string_view body :
         {"", "[]", "7", "{", "{}x", R"({"max_tokens":"9"})", R"({"max_tokens":0})",
          R"({"max_tokens":-1})", R"({"max_tokens":1.5})", R"({"max_tokens":1e99})",
          R"({"max_tokens":{}})", R"({"model":7})", R"({"model":[]})",
          R"({"stream":"yes"})", R"({"n":0,"model":"m"})", R"({"n":1000})",
          R"({"stream_options":7})"}) {
        CHECK_THROWS(estimate("/v1/chat/completions", body), Error,
                     [](const Error &error) {
                         CHECK_EQUAL(error.status(), ExitStatus::BadData);
                         CHECK(std::string(error.what()).starts_with("request body: "));
                     });
    }
}

void the_input_bound_covers_every_byte_of_text()
{
    const EstimateRules rules;
    const std::string text(5000, 'w');
    const auto bound = [](const std::string &body) {
        return estimate("/v1/messages", body).input_bound;
    };
    const int64_t plain = bound(R"({"system":")" + text + " " + R"("})");
    CHECK(plain >= 5000 + rules.per_call);
    CHECK(plain < 5100 + rules.per_call);
    // Written with escapes it is still the same text.
    CHECK_EQUAL(bound(R"({"system":"\u0041 "})"), bound(R"({"system":"A "})"));
    CHECK(bound(R"({"system":"\u20ac "})") >= bound(R"({"system":"A "})") + 2);
    // Blanks between tokens are nothing.
    CHECK_EQUAL(bound("{ \"system\" :\n \"A\" }"), bound(R"({"system":"A"})"));
    CHECK_EQUAL(bound(R"({"messages":[{},{}]})") - bound(R"({"messages":[{}]})"),
                rules.per_message + 3);
    CHECK(bound(R"({"tools":[{}]})") >= rules.tools_prompt + rules.per_tool);
}

void base64_counts_as_media_not_as_text()
{
    const EstimateRules rules;
    const auto bound = [](const std::string &data) {
        return estimate("/v1/messages", R"({"d":")" + data + R"("})").input_bound;
    };
    const int64_t small = bound(std::string(100, 'A'));
    const int64_t image = bound(std::string(100'000, 'A'));
    CHECK(image < small + rules.media_least + 200);
    CHECK(image >= rules.media_least);
    CHECK(bound(std::string(3'200'000, 'A')) >= 100'000);
    CHECK(bound("data:image/png;base64," + std::string(90'000, '=')) < 6'000);
    CHECK(bound(std::string(50'000, 'A') + ' ' + std::string(50'000, 'A')) > 100'000);
}

void what_a_stream_cannot_show_is_marked()
{
    CHECK(estimate("/v1/responses", R"({"model":"gpt-5-codex"})").hidden_output);
    CHECK(estimate("/v1/responses", R"({"model":"m","reasoning":{}})").hidden_output);
    CHECK(!estimate("/v1/responses", R"({"model":"gpt-4o"})").hidden_output);
    CHECK(estimate(gemini_path, "{}").hidden_output);
    CHECK(!estimate("/v1/messages", R"({"model":"claude-x"})").hidden_output);
    const CallEstimate thinking = estimate(
        "/v1/messages", R"({"thinking":{"type":"enabled","budget_tokens":2048}})");
    CHECK(thinking.hidden_output);
    CHECK_EQUAL(thinking.least_max_tokens, 2049);
    CHECK_EQUAL(estimate("/v1/messages", "{}").least_max_tokens, 1);
    CHECK_EQUAL(estimate("/v1/responses", "{}").least_max_tokens, 16);
}

void a_guessed_limit_follows_what_was_seen()
{
    CHECK_EQUAL(default_output(std::nullopt, 0), 4096);
    CHECK_EQUAL(default_output(std::nullopt, 5000), 20000);
    CHECK_EQUAL(default_output(8192, 5000), 8192);
    CHECK_EQUAL(default_output(1000, 0), 1000);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(the_body_says_model_stream_and_limit),
        TEST(only_members_of_their_place_count),
        TEST(the_limit_is_replaced_in_place_and_nothing_else_changes),
        TEST(the_model_is_replaced_in_place_and_nothing_else_changes),
        TEST(a_missing_limit_is_inserted_under_the_name_that_is_known),
        TEST(a_chat_stream_is_asked_for_its_usage_once),
        TEST(both_edits_at_one_place_leave_json),
        TEST(what_the_cost_depends_on_may_not_be_given_twice),
        TEST(wrong_types_and_no_json_are_refused),
        TEST(the_input_bound_covers_every_byte_of_text),
        TEST(base64_counts_as_media_not_as_text),
        TEST(what_a_stream_cannot_show_is_marked),
        TEST(a_guessed_limit_follows_what_was_seen),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
