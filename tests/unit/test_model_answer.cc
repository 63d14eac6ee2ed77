#include "net/model_answer.hh"

#include "check.hh"
#include "questioner.hh"
#include "support.hh"

using namespace ap;
using check::ScriptedQuestioner;

namespace {

AnswerOrder order_for(const std::string &text)
{
    AnswerOrder order{.prompt = {}};
    order.prompt.model = "m";
    order.prompt.text = text;
    order.first_wait = std::chrono::milliseconds(1);
    return order;
}

check::Answer failing(ExitStatus status)
{
    check::Answer answer;
    answer.failure = LlmFailure{status, "not now"};
    return answer;
}

void a_truncated_answer_is_continued_with_what_there_is_of_it()
{
    ScriptedQuestioner questioner({{"one ", "length"}, {"two ", "length"}, {"three"}});
    const ModelAnswer answer = ask_model(questioner, order_for("count"));
    CHECK_EQUAL(answer.text, "one two three");
    CHECK_EQUAL(answer.pieces, 3);
    CHECK_EQUAL(answer.tokens, 45);
    CHECK(!answer.truncated);
    CHECK_EQUAL(questioner.asked[2].turns.size(), 1);
    CHECK_EQUAL(questioner.asked[2].turns[0].answer, "one two ");
    CHECK_EQUAL(questioner.asked[2].text, "count");
}

void an_answer_without_an_end_is_left_after_the_last_piece()
{
    ScriptedQuestioner questioner({{"a", "length"}, {"b", "length"}, {"c"}});
    AnswerOrder order = order_for("count");
    order.most_pieces = 2;
    const ModelAnswer answer = ask_model(questioner, order);
    CHECK_EQUAL(answer.text, "ab");
    CHECK(answer.truncated);
}

void a_provider_that_is_busy_is_asked_again()
{
    ScriptedQuestioner questioner(
        {failing(ExitStatus::TryAgain), failing(ExitStatus::Unavailable), {"there"}});
    AnswerOrder order = order_for("hello");
    std::vector<std::string> told;
    order.tell = [&](const std::string &line) { told.push_back(line); };
    const ModelAnswer answer = ask_model(questioner, order);
    CHECK_EQUAL(told.size(), 2);
    CHECK(told[0].ends_with(": not now; asking again in 1ms"));
    CHECK_EQUAL(answer.text, "there");
    CHECK_EQUAL(answer.pieces, 1);
    CHECK_EQUAL(questioner.asked.size(), 3);
}

void what_does_not_pass_is_thrown_with_the_providers_name()
{
    for (const auto &[status, asked] : {std::pair(ExitStatus::NoPermission, 1),
                                        std::pair(ExitStatus::Unavailable, 4)}) {
        ScriptedQuestioner questioner(std::deque<check::Answer>(9, failing(status)));
        CHECK_THROWS(ask_model(questioner, order_for("hello")), Error,
                     [&](const Error &error) {
                         CHECK_EQUAL(error.status(), status);
                         CHECK_EQUAL(std::string_view(error.what()), "scripted: not now");
                     });
        CHECK_EQUAL(questioner.asked.size(), asked);
    }
}

void a_piece_that_was_kept_is_not_paid_for_again()
{
    const check::TemporaryDirectory directory;
    AnswerOrder order = order_for("count");
    order.kept_in = directory.path();
    ScriptedQuestioner first({check::Answer{"one ", "length"}});
    CHECK_THROWS(ask_model(first, order), Error, [](const Error &error) {
        CHECK_EQUAL(error.status(), ExitStatus::BudgetExhausted);
    });
    ScriptedQuestioner second({{"two"}});
    const ModelAnswer answer = ask_model(second, order);
    CHECK_EQUAL(answer.text, "one two");
    CHECK_EQUAL(answer.asked, 1);
    CHECK_EQUAL(answer.tokens, 30);
}

void what_was_kept_for_another_prompt_does_not_count()
{
    const check::TemporaryDirectory directory;
    AnswerOrder order = order_for("count");
    order.kept_in = directory.path();
    ScriptedQuestioner questioner({{"one"}, {"uno"}, {"un"}});
    ask_model(questioner, order);
    order.prompt.text = "count in Italian";
    CHECK_EQUAL(ask_model(questioner, order).text, "uno");
    // A file that was cut off is none.
    replace_file(directory.file("answer-1.json"), "{\"text\": \"u");
    CHECK_EQUAL(ask_model(questioner, order).text, "un");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_truncated_answer_is_continued_with_what_there_is_of_it),
        TEST(an_answer_without_an_end_is_left_after_the_last_piece),
        TEST(a_provider_that_is_busy_is_asked_again),
        TEST(what_does_not_pass_is_thrown_with_the_providers_name),
        TEST(a_piece_that_was_kept_is_not_paid_for_again),
        TEST(what_was_kept_for_another_prompt_does_not_count),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
