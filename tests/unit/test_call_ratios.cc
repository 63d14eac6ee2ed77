#include "check.hh"
#include "support.hh"

#include "domain/call_ratios.hh"
#include "domain/usage_ratios.hh"

using namespace ap;

namespace {

CallSample sample(int64_t bound, int64_t input, int64_t bytes = 0, int64_t tokens = 0)
{
    return {bound, input, bytes, tokens, -1};
}

CallRatios after(int64_t calls, const CallSample &each)
{
    CallRatios ratios;
    for (int64_t i = 0; i < calls; ++i) {
        ratios.add(each);
    }
    return ratios;
}

void estimates_input_at_the_highest_ratio_and_a_margin()
{
    CallRatios ratios = after(20, sample(10'000, 2'000));
    ratios.add(sample(10'000, 3'000));
    const int64_t input = ratios.input_of(8'000);
    CHECK(input >= 2'400);
    CHECK(input <= 2'400 + 2'400 / 32 + 40);
}

void keeps_to_the_bound_until_enough_was_seen()
{
    CHECK_EQUAL(after(CallRatios::enough - 1, sample(1'000, 100)).input_of(1'000), 1'000);
    CHECK(after(CallRatios::enough, sample(1'000, 100)).input_of(1'000) < 200);
}

void takes_no_ratio_from_calls_less_than_half_as_large()
{
    const CallRatios ratios = after(CallRatios::most, sample(1'000, 100));
    CHECK(ratios.input_of(2'000) < 300);
    CHECK_EQUAL(ratios.input_of(2'100), 2'100);
    CHECK(ratios.input_of(500) < 100);
}

void never_estimates_above_the_bound()
{
    CHECK_EQUAL(after(20, sample(1'000, 990)).input_of(1'000), 1'000);
}

void forgets_what_is_long_ago()
{
    CallRatios ratios = after(1, sample(1'000, 900));
    for (size_t i = 0; i + 1 < CallRatios::most; ++i) {
        ratios.add(sample(1'000, 100));
    }
    CHECK(ratios.input_of(1'000) > 900);
    ratios.add(sample(1'000, 100));
    CHECK(ratios.input_of(1'000) < 200);
}

void learns_nothing_of_calls_that_tell_nothing()
{
    const CallRatios ratios = after(50, sample(1'000, 0, 255, 90));
    CHECK_EQUAL(ratios.input_of(1'000), 1'000);
    CHECK(!ratios.visible_of(1'000, false));
}

const CutAnswer cut = {5'000, 0, 4'000, 64, true, false};

void estimates_visible_output_by_its_bytes()
{
    const CallRatios ratios = after(20, sample(0, 0, 2'000, 500));
    const int64_t output = output_of(&ratios, cut);
    CHECK(output >= 1'064);
    CHECK(output < 1'110);
    CHECK_EQUAL(output_of(nullptr, cut), 4'064);
}

void keeps_between_what_was_told_and_what_was_granted()
{
    const CallRatios ratios = after(20, sample(0, 0, 2'000, 500));
    CutAnswer answer = cut;
    answer.told = 3'000;
    CHECK_EQUAL(output_of(&ratios, answer), 3'064);
    answer.told = 0;
    answer.granted = 700;
    CHECK_EQUAL(output_of(&ratios, answer), 700);
    answer.told = 800;
    CHECK_EQUAL(output_of(&ratios, answer), 800);
}

void charges_all_that_was_granted_where_nothing_shows()
{
    const CallRatios ratios = after(20, sample(0, 0, 2'000, 500));
    CutAnswer answer = cut;
    answer.shows = false;
    CHECK_EQUAL(output_of(&ratios, answer), 5'000);
}

void does_not_forget_reasoning_that_is_not_shown()
{
    CallRatios ratios;
    for (int64_t i = 0; i < CallRatios::enough_hidden - 1; ++i) {
        ratios.add({0, 0, 2'000, 500, i == 3 ? 1'600 : 100});
    }
    CutAnswer answer = cut;
    answer.hidden = true;
    CHECK_EQUAL(output_of(&ratios, answer), 5'000); // too few: the bound
    ratios.add({0, 0, 2'000, 500, 100});
    const int64_t output = output_of(&ratios, answer);
    CHECK(output >= 1'064 + 1'600);
    CHECK(output < 1'110 + 2'000);
    // What reasoning models show tells nothing of answers without reasoning.
    CHECK(!ratios.visible_of(1'000, false));
}

void comes_back_from_its_text()
{
    CallRatios ratios = after(100, sample(1'000, 100, 2'000, 500));
    ratios.add({0, 0, 2'000, 500, 70});
    const CallRatios read = CallRatios::from_text(ratios.to_text());
    CHECK_EQUAL(read.to_text(), ratios.to_text());
    CHECK_EQUAL(read.input_of(1'000), ratios.input_of(1'000));
    CHECK_EQUAL(CallRatios::from_text("s 1\nnothing\ns x 2 3 4 5").input_of(9), 9);
}

void is_kept_by_dialect_and_model()
{
    check::TemporaryDatabase temporary;
    UsageRatios ratios;
    for (int i = 0; i < 20; ++i) {
        ratios.add(Dialect::OpenAiChat, "m", sample(1'000, 100));
    }
    UsageRatios::save(temporary.get(), ratios.take_changed());
    CHECK(ratios.take_changed().empty());
    UsageRatios next;
    next.load(temporary.get());
    const CallRatios *found = next.find(Dialect::OpenAiChat, "m");
    CHECK(found != nullptr && found->input_of(1'000) < 200);
    CHECK(next.find(Dialect::OpenAiResponses, "m") == nullptr);
    CHECK(next.find(Dialect::OpenAiChat, "n") == nullptr);
}

void is_learned_in_the_database_one_call_at_a_time()
{
    check::TemporaryDatabase temporary;
    for (int64_t i = 0; i < CallRatios::enough; ++i) {
        CHECK_EQUAL(UsageRatios::stored(temporary.get(), Dialect::OpenAiChat, "m")
                        .input_of(1'000),
                    1'000);
        UsageRatios::learn(temporary.get(), Dialect::OpenAiChat, "m", sample(1'000, 100));
    }
    CHECK(UsageRatios::stored(temporary.get(), Dialect::OpenAiChat, "m").input_of(1'000) <
          200);
    CHECK_EQUAL(
        UsageRatios::stored(temporary.get(), Dialect::OpenAiChat, "n").input_of(1'000),
        1'000);
}

void learns_of_no_more_models_than_it_may()
{
    UsageRatios ratios;
    for (size_t i = 0; i <= UsageRatios::most_models; ++i) {
        ratios.add(Dialect::OpenAiChat, std::to_string(i), sample(1'000, 100));
    }
    CHECK(ratios.find(Dialect::OpenAiChat, "0") != nullptr);
    CHECK(ratios.find(Dialect::OpenAiChat, std::to_string(UsageRatios::most_models)) ==
          nullptr);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(estimates_input_at_the_highest_ratio_and_a_margin),
        TEST(keeps_to_the_bound_until_enough_was_seen),
        TEST(takes_no_ratio_from_calls_less_than_half_as_large),
        TEST(never_estimates_above_the_bound),
        TEST(forgets_what_is_long_ago),
        TEST(learns_nothing_of_calls_that_tell_nothing),
        TEST(estimates_visible_output_by_its_bytes),
        TEST(keeps_between_what_was_told_and_what_was_granted),
        TEST(charges_all_that_was_granted_where_nothing_shows),
        TEST(does_not_forget_reasoning_that_is_not_shown),
        TEST(comes_back_from_its_text),
        TEST(is_kept_by_dialect_and_model),
        TEST(is_learned_in_the_database_one_call_at_a_time),
        TEST(learns_of_no_more_models_than_it_may),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
