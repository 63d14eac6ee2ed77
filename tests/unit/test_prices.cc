#include "check.hh"
#include "support.hh"

#include "domain/prices.hh"

using namespace ap;

namespace {

PriceList list_of(std::string_view models)
{
    return PriceList::from_json(
        Json::parse("{\"models\":" + std::string(models) + "}", "prices"), "prices");
}

void a_model_has_the_price_of_the_longest_name_it_starts_with()
{
    const PriceList list = list_of(
        R"({"gpt-4":{"input":30},"gpt-4o":{"input":2.5},"gpt-4o-mini":{"input":0.15},
            "g":{"input":1},"claude-opus-4":{"input":15},"claude-opus-4-5":{"input":5}})");
    const auto input = [&list](std::string_view model) {
        const ModelFacts *facts = list.find(model);
        return facts == nullptr ? -1 : facts->price.input;
    };
    CHECK_EQUAL(input("gpt-4"), 30'000'000);
    CHECK_EQUAL(input("gpt-4-turbo"), 30'000'000);
    CHECK_EQUAL(input("gpt-4o-2024-08-06"), 2'500'000);
    CHECK_EQUAL(input("gpt-4o-mini-x"), 150'000);
    CHECK_EQUAL(input("gpt-4o-zzz"), 2'500'000);
    CHECK_EQUAL(input("gpt-3"), -1);
    CHECK_EQUAL(input("g:x"), 1'000'000);
    CHECK_EQUAL(input("gpt-4.5"), -1);
    CHECK_EQUAL(input("gpt-4oo"), -1);
    CHECK_EQUAL(input("claude-opus-4-1"), 15'000'000);
    CHECK_EQUAL(input("claude-opus-4-5-20251101"), 5'000'000);
    CHECK_EQUAL(input("claude-opus-3"), -1);
    CHECK_EQUAL(input("openrouter/openai/gpt-4o"), 2'500'000);
    CHECK_EQUAL(input("models/gpt-4o"), 2'500'000);
    CHECK_EQUAL(input(""), -1);
    CHECK_EQUAL(list_of("{}").find("x") == nullptr, true);
}

void what_is_left_out_follows_from_what_is_there()
{
    const PriceList list = list_of(
        R"({"a":{"input":3},"b":{"input":3,"cached":0.3,"cache_write":3.75,"output":15,
            "max_output":8192,"above":{"input_tokens":200000,"input":6}}})");
    const ModelFacts &a = *list.find("a");
    CHECK_EQUAL(a.price.cached, 3'000'000);
    CHECK_EQUAL(a.price.cache_write_long, 3'000'000);
    CHECK_EQUAL(a.price.output, 0);
    CHECK(!a.max_output);
    const ModelFacts &b = *list.find("b");
    CHECK_EQUAL(b.price.cache_write_long, 3'750'000);
    CHECK_EQUAL(*b.max_output, 8192);
    CHECK_EQUAL(b.price_for(200'000).input, 3'000'000);
    CHECK_EQUAL(b.price_for(200'001).input, 6'000'000);
    CHECK_EQUAL(b.price_for(200'001).cached, 300'000);
}

void a_cost_is_rounded_up_once()
{
    const PriceList list = list_of(
        R"({"m":{"input":3,"cached":0.3,"cache_write":3.75,"cache_write_long":6,"output":15}})");
    const ModelFacts &facts = *list.find("m");
    Usage usage;
    CHECK_EQUAL(cost_of(facts, usage), 0);
    usage.prompt_tokens = 1'000'000;
    usage.completion_tokens = 1'000'000;
    CHECK_EQUAL(cost_of(facts, usage), 18'000'000);
    usage.cached_tokens = 400'000;
    usage.cache_write_tokens = 100'000;
    CHECK_EQUAL(cost_of(facts, usage, 40'000),
                1'500'000 + 120'000 + 225'000 + 240'000 + 15'000'000);
    usage = {};
    usage.prompt_tokens = usage.cached_tokens = 1;
    CHECK_EQUAL(cost_of(facts, usage), 1); // 0.3 micro-dollars
    usage.prompt_tokens = usage.cached_tokens = 10;
    CHECK_EQUAL(cost_of(facts, usage), 3);
    usage.prompt_tokens = largest_amount;
    usage.completion_tokens = largest_amount;
    CHECK_EQUAL(cost_of(facts, usage), largest_amount);
}

void no_usage_within_its_bounds_costs_more_than_the_bound()
{
    const PriceList list = list_of(
        R"({"m":{"input":1.25,"cached":0.31,"cache_write":2,"output":10,
            "above":{"input_tokens":1000,"input":2.5,"cached":0.625,"output":15}}})");
    const ModelFacts &facts = *list.find("m");
    uint32_t random = 7;
    for (int i = 0; i < 20'000; ++i) {
        const auto next = [&random](int64_t most) {
            random = random * 1664525 + 1013904223;
            return static_cast<int64_t>(random >> 4) % (most + 1);
        };
        const int64_t input = next(3000);
        const int64_t output = next(3000);
        Usage usage;
        usage.prompt_tokens = next(input);
        usage.completion_tokens = next(output);
        usage.cached_tokens = next(usage.prompt_tokens);
        usage.cache_write_tokens = next(usage.prompt_tokens - usage.cached_tokens);
        CHECK(cost_of(facts, usage, next(usage.cache_write_tokens)) <=
              cost_bound(facts, input, output));
    }
}

void mistakes_are_named()
{
    const auto mistake = [](std::string_view models) {
        std::string message = "none";
        try {
            static_cast<void>(list_of(models));
        } catch (const Error &error) {
            message = error.what();
        }
        return message;
    };
    CHECK_EQUAL(mistake(R"({"m":{"input":-1}})"),
                "prices: model 'm': input: expected dollars per million tokens from 0 to "
                "1000000, got -1");
    CHECK_EQUAL(mistake(R"({"m":{"input":"3"}})"),
                "prices: model 'm': input: expected dollars per million tokens from 0 to "
                "1000000, got string");
    CHECK_EQUAL(mistake(R"({"m":{}})"), "prices: model 'm': input: expected dollars per "
                                        "million tokens, got nothing");
    CHECK_EQUAL(mistake(R"({"m":7})"),
                "prices: model 'm': the model: expected an object, got 7");
    CHECK_EQUAL(mistake("[]"), "prices: models: expected an object, got array");
    CHECK(mistake(R"({"m":{"input":1,"max_output":0}})") != "none");
}

void the_shipped_list_is_right_in_itself()
{
    const char *source = std::getenv("AP_SOURCE");
    CHECK(source != nullptr);
    const PriceList list = PriceList::load(std::string(source) + "/contrib/prices.json");
    CHECK(list.size() > 20);
    for (const std::string_view model :
         {"claude-sonnet-4-5-20250929", "claude-opus-4-1", "claude-haiku-4-5", "gpt-5",
          "gpt-5-codex", "gpt-4o-mini", "o3", "gemini-2.5-pro", "gemini-2.5-flash",
          "text-embedding-3-small"}) {
        const ModelFacts *facts = list.find(model);
        CHECK(facts != nullptr);
        CHECK(facts->price.input > 0);
        CHECK(facts->price.cached <= facts->price.input);
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_model_has_the_price_of_the_longest_name_it_starts_with),
        TEST(what_is_left_out_follows_from_what_is_there),
        TEST(a_cost_is_rounded_up_once),
        TEST(no_usage_within_its_bounds_costs_more_than_the_bound),
        TEST(mistakes_are_named),
        TEST(the_shipped_list_is_right_in_itself),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
