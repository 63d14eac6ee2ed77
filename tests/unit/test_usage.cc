#include "check.hh"

#include "domain/usage.hh"

#include <vector>

using namespace ap;

namespace {

// One record as "provider/model prompt+completion cached/written/reasoning $micro-USD",
// with a "~" before one that is estimated.
std::string text_of(const Usage &usage)
{
    return std::string(usage.estimated ? "~" : "") + usage.provider + "/" + usage.model +
           " " + std::to_string(usage.prompt_tokens) + "+" +
           std::to_string(usage.completion_tokens) + " " +
           std::to_string(usage.cached_tokens) + "/" +
           std::to_string(usage.cache_write_tokens) + "/" +
           std::to_string(usage.reasoning_tokens) + " $" +
           std::to_string(usage.cost_microusd);
}

void add(std::string &text, const std::vector<Usage> &found)
{
    for (const Usage &usage : found) {
        text += (text.empty() ? "" : ", ") + text_of(usage);
    }
}

// What is read from `output` that comes in pieces of `size` bytes.
std::string read(Agent agent, std::string_view output, size_t size = std::string::npos)
{
    const auto reader = make_usage_reader(agent);
    std::string text;
    for (size_t at = 0; at < output.size();) {
        const std::string_view piece = output.substr(at, size);
        add(text, reader->feed(piece));
        at += piece.size();
    }
    add(text, reader->finish());
    return text;
}

// The same must be read however the output is cut.
void check_reads(Agent agent, std::string_view output, std::string_view expected)
{
    CHECK_EQUAL(read(agent, output), expected);
    for (const size_t size : {1u, 2u, 3u, 7u, 64u, 1000u}) {
        CHECK_EQUAL(read(agent, output, size), expected);
    }
    for (size_t cut = 1; cut < output.size(); cut++) {
        const auto reader = make_usage_reader(agent);
        std::string text;
        add(text, reader->feed(output.substr(0, cut)));
        add(text, reader->feed(output.substr(cut)));
        add(text, reader->finish());
        if (text != expected) {
            check::fail_at(__FILE__, __LINE__,
                           "cut at byte " + std::to_string(cut) + ": " + text);
        }
    }
}

constexpr std::string_view claude_result =
    R"({"type":"result","subtype":"success","is_error":false,"duration_ms":3102,)"
    R"("duration_api_ms":2894,"num_turns":1,"result":"done {\"type\":\"result\"}",)"
    R"("session_id":"6f1d2b0e-6c8e-4d0b-a1b7-1b1f0f4c9a11","total_cost_usd":0.0123456,)"
    R"("usage":{"input_tokens":4,"cache_creation_input_tokens":1200,)"
    R"("cache_read_input_tokens":15000,"output_tokens":12,)"
    R"("server_tool_use":{"web_search_requests":0},"service_tier":"standard"},)"
    R"("modelUsage":{"claude-sonnet-4-5-20250929":{"inputTokens":4,"outputTokens":12,)"
    R"("cacheReadInputTokens":15000,"cacheCreationInputTokens":1200,)"
    R"("webSearchRequests":0,"costUSD":0.0123456,"contextWindow":200000}},)"
    R"("permission_denials":[],"uuid":"a9f1"})";

constexpr std::string_view claude_read =
    "anthropic/claude-sonnet-4-5-20250929 16204+12 15000/1200/0 $12346";

void claude_json_is_read()
{
    check_reads(Agent::Claude, std::string(claude_result) + "\n", claude_read);
}

void a_last_line_without_a_newline_counts()
{
    check_reads(Agent::Claude, claude_result, claude_read);
}

void claude_json_verbose_is_one_array_of_messages()
{
    const std::string output = R"([{"type":"system","subtype":"init"},)"
                               R"({"type":"user","message":{"role":"user"}},)" +
                               std::string(claude_result) + "]\n";
    check_reads(Agent::Claude, output, claude_read);
}

void claude_without_model_usage_is_read_from_its_total()
{
    check_reads(Agent::Claude,
                R"({"type":"result","subtype":"error_max_turns","total_cost_usd":0.5,)"
                R"("usage":{"input_tokens":10,"cache_creation_input_tokens":1,)"
                R"("cache_read_input_tokens":2,"output_tokens":3}})",
                "anthropic/ 13+3 2/1/0 $500000");
}

// Several models worked on it: the main one and a small one for titles.
void claude_models_are_told_apart()
{
    check_reads(Agent::Claude,
                R"({"type":"result","usage":{"input_tokens":1,"output_tokens":1},)"
                R"("modelUsage":{"claude-haiku-4-5":{"inputTokens":7,"outputTokens":2,)"
                R"("costUSD":0.001},"claude-opus-4-1":{"inputTokens":100,)"
                R"("outputTokens":50,"cacheReadInputTokens":5,"costUSD":0.25}}})",
                "anthropic/claude-haiku-4-5 7+2 0/0/0 $1000, "
                "anthropic/claude-opus-4-1 105+50 5/0/0 $250000");
}

// With stream-json every block of a message repeats its usage; the result has the truth.
constexpr std::string_view claude_stream =
    R"({"type":"system","subtype":"init","model":"m","tools":["Bash"]}
{"type":"assistant","message":{"id":"msg_1","model":"m","content":[{"type":"text","text":"a"}],"usage":{"input_tokens":10,"output_tokens":1}}}
{"type":"assistant","message":{"id":"msg_1","model":"m","content":[{"type":"tool_use"}],"usage":{"input_tokens":10,"output_tokens":8}}}
{"type":"user","message":{"role":"user","content":[{"type":"tool_result"}]}}
{"type":"assistant","message":{"id":"msg_2","model":"m","content":[],"usage":{"input_tokens":30,"cache_read_input_tokens":5,"output_tokens":2}}}
)";

void a_claude_stream_counts_each_message_once()
{
    check_reads(Agent::Claude, claude_stream,
                "~anthropic/m 10+1 0/0/0 $0, ~anthropic/m 0+7 0/0/0 $0, "
                "~anthropic/m 35+2 5/0/0 $0");
}

void the_result_of_a_claude_stream_adds_what_its_messages_did_not_tell()
{
    const std::string output =
        std::string(claude_stream) +
        R"({"type":"result","total_cost_usd":0.01,"usage":{"input_tokens":1,)"
        R"("output_tokens":1},"modelUsage":{"m":{"inputTokens":40,"outputTokens":25,)"
        R"("cacheReadInputTokens":5,"cacheCreationInputTokens":0,"costUSD":0.01}}})"
        "\n";
    check_reads(Agent::Claude, output,
                "~anthropic/m 10+1 0/0/0 $0, ~anthropic/m 0+7 0/0/0 $0, "
                "~anthropic/m 35+2 5/0/0 $0, anthropic/m 0+15 0/0/0 $10000");
}

void codex_turns_are_read()
{
    check_reads(
        Agent::Codex,
        R"({"type":"thread.started","thread_id":"0199a213-81c0-7800-8aa1-bbab2a035a53"}
{"type":"turn.started"}
{"type":"item.started","item":{"id":"item_1","type":"command_execution","command":"bash -lc ls","status":"in_progress"}}
{"type":"item.completed","item":{"id":"item_3","type":"agent_message","text":"done"}}
{"type":"turn.completed","usage":{"input_tokens":24763,"cached_input_tokens":24448,"output_tokens":122,"reasoning_output_tokens":64}}
)",
        "openai/ 24763+122 24448/0/64 $0");
}

void a_codex_turn_counts_what_the_turns_before_did_not()
{
    check_reads(
        Agent::Codex,
        R"({"type":"turn.completed","usage":{"input_tokens":100,"cached_input_tokens":40,"output_tokens":10}}
{"type":"turn.failed","error":{"message":"stream disconnected"}}
{"type":"turn.completed","usage":{"input_tokens":250,"cached_input_tokens":140,"output_tokens":25}}
)",
        "openai/ 100+10 40/0/0 $0, openai/ 150+15 100/0/0 $0");
}

void opencode_steps_are_added_up()
{
    check_reads(
        Agent::Opencode,
        R"({"type":"step_start","timestamp":1764000000000,"sessionID":"ses_1","part":{"type":"step-start"}}
{"type":"text","sessionID":"ses_1","part":{"type":"text","text":"working"}}
{"type":"step_finish","timestamp":1764000001000,"sessionID":"ses_1","part":{"type":"step-finish","reason":"tool-calls","cost":0.0021,"tokens":{"input":671,"output":8,"reasoning":3,"cache":{"read":21415,"write":7}}}}
{"type":"step_finish","timestamp":1764000002000,"sessionID":"ses_1","part":{"type":"step-finish","reason":"stop","cost":0,"tokens":{"input":30,"output":5,"reasoning":0,"cache":{"read":0,"write":0}}}}
)",
        "opencode/ 22093+11 21415/7/3 $2100, opencode/ 30+5 0/0/0 $0");
}

void a_custom_agent_reports_as_ap_budget_takes_it()
{
    check_reads(Agent::Custom,
                R"(starting
{"event": "call", "usage": {"model": "m", "input_tokens": 5, "output_tokens": 7, "cost_usd": 0.5}}
{"usage": {"prompt_tokens": "many"}}
{"usage": 7}
{"usage": {"completion_tokens": 1, "provider": "p"}}
)",
                "/m 5+7 0/0/0 $500000, p/ 0+1 0/0/0 $0");
}

void what_is_no_usage_is_passed_over()
{
    const std::string_view noise = "plain text {\"type\":\"result\"}\n"
                                   "{\"type\":\"result\"\n"
                                   "[1, \"two\", null]\n"
                                   "{\"type\":\"turn.completed\"}\n"
                                   "{\"type\":\"turn.completed\",\"usage\":[]}\n"
                                   "{\"type\":\"assistant\",\"message\":{\"id\":\"x\"}}\n"
                                   "{\"type\":\"step_finish\",\"part\":{}}\n"
                                   "\xff\xfe\n\n   \r\n";
    for (const Agent agent :
         {Agent::Claude, Agent::Codex, Agent::Opencode, Agent::Custom}) {
        check_reads(agent, noise, "");
    }
}

void counts_that_make_no_sense_do_no_harm()
{
    check_reads(Agent::Codex,
                R"({"type":"turn.completed","usage":{"input_tokens":-5,)"
                R"("cached_input_tokens":null,"output_tokens":9000000000000000000}})",
                "openai/ 0+1000000000000 0/0/0 $0");
}

void a_line_longer_than_four_mebibytes_is_passed_over()
{
    const std::string huge = "{\"usage\": {\"prompt_tokens\": 1}, \"x\": \"" +
                             std::string(5 << 20, 'x') + "\"}\n";
    CHECK_EQUAL(read(Agent::Custom, huge, 65536), "");
    CHECK_EQUAL(
        read(Agent::Custom, huge + "{\"usage\": {\"prompt_tokens\": 2}}\n", 65536),
        "/ 2+0 0/0/0 $0");
}

void lines_may_end_as_on_windows()
{
    check_reads(Agent::Custom, "{\"usage\": {\"prompt_tokens\": 2}}\r\n",
                "/ 2+0 0/0/0 $0");
}

void without_an_agent_nothing_is_read()
{
    CHECK(make_usage_reader(Agent::None) == nullptr);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(claude_json_is_read),
        TEST(a_last_line_without_a_newline_counts),
        TEST(claude_json_verbose_is_one_array_of_messages),
        TEST(claude_without_model_usage_is_read_from_its_total),
        TEST(claude_models_are_told_apart),
        TEST(a_claude_stream_counts_each_message_once),
        TEST(the_result_of_a_claude_stream_adds_what_its_messages_did_not_tell),
        TEST(codex_turns_are_read),
        TEST(a_codex_turn_counts_what_the_turns_before_did_not),
        TEST(opencode_steps_are_added_up),
        TEST(a_custom_agent_reports_as_ap_budget_takes_it),
        TEST(what_is_no_usage_is_passed_over),
        TEST(counts_that_make_no_sense_do_no_harm),
        TEST(a_line_longer_than_four_mebibytes_is_passed_over),
        TEST(lines_may_end_as_on_windows),
        TEST(without_an_agent_nothing_is_read),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
