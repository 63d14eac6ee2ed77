#include "check.hh"

#include "net/provider_error.hh"

using namespace ap;

namespace {

void anthropic_is_answered_in_its_shape()
{
    const ProviderError error = provider_error("anthropic", GateFault::BadKey, "no");
    CHECK_EQUAL(error.status, 401);
    CHECK_EQUAL(error.body, R"({"type":"error","error":{"type":"authentication_error",)"
                            R"("message":"no"}})");
    CHECK(!error.retry_after);
}

void openai_is_answered_in_its_shape()
{
    const ProviderError error = provider_error("openai", GateFault::BadKey, "no");
    CHECK_EQUAL(error.status, 401);
    CHECK_EQUAL(error.body, R"({"error":{"message":"no","type":"invalid_request_error",)"
                            R"("param":null,"code":"invalid_api_key"}})");
}

void gemini_is_answered_in_its_shape()
{
    const ProviderError error = provider_error("gemini", GateFault::BadKey, "no");
    CHECK_EQUAL(error.body,
                R"({"error":{"code":401,"message":"no","status":"UNAUTHENTICATED"}})");
}

void a_spent_budget_is_not_to_be_tried_again()
{
    for (const char *family : {"anthropic", "openai", "gemini"}) {
        CHECK_EQUAL(provider_error(family, GateFault::Budget, "spent").status, 400);
    }
}

void what_may_pass_is_to_be_tried_again()
{
    const ProviderError error =
        provider_error("anthropic", GateFault::Open, "down", std::chrono::seconds(7));
    CHECK_EQUAL(error.status, 529);
    CHECK_EQUAL(error.retry_after->count(), 7);
    CHECK_EQUAL(provider_error("openai", GateFault::Open, "down").status, 503);
    CHECK_EQUAL(provider_error("openai", GateFault::Busy, "wait").status, 429);
}

void a_message_may_hold_anything()
{
    const ProviderError error =
        provider_error("openai", GateFault::BadRequest, "a \"b\"\n\xff");
    CHECK(error.body.find(R"(a \"b\"\n)") != std::string::npos);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(anthropic_is_answered_in_its_shape),
        TEST(openai_is_answered_in_its_shape),
        TEST(gemini_is_answered_in_its_shape),
        TEST(a_spent_budget_is_not_to_be_tried_again),
        TEST(what_may_pass_is_to_be_tried_again),
        TEST(a_message_may_hold_anything),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
