#include "domain/apply_risk.hh"

#include "check.hh"

using namespace ap;

namespace {

TreeChange changed(const std::string &path, mode_t mode = 0644)
{
    return {path, FileState{"old\n", 0644}, FileState{"new\n", mode}};
}

std::string risk_of(const TreeChange &change, LineCount lines = {1, 1})
{
    return std::string(risk_name(weigh_risk({{&change, lines}}).risk));
}

void documents_are_no_risk_and_code_is_low()
{
    CHECK_EQUAL(risk_of(changed("docs/a.md")), "none");
    CHECK_EQUAL(risk_of(changed("src/a.c")), "low");
    CHECK_EQUAL(risk_of(changed("CMakeLists.txt")), "medium");
    CHECK_EQUAL(risk_of(changed("requirements.txt")), "medium");
}

void many_lines_are_a_risk()
{
    CHECK_EQUAL(risk_of(changed("a.c"), {50, 50}), "low");
    CHECK_EQUAL(risk_of(changed("a.c"), {51, 50}), "medium");
    CHECK_EQUAL(risk_of(changed("a.c"), {501, 0}), "high");
    CHECK_EQUAL(risk_of(changed("a.md"), {501, 0}), "high");
}

void what_is_executed_is_a_risk()
{
    CHECK_EQUAL(risk_of(changed("a.sh")), "medium");
    CHECK_EQUAL(risk_of({"run", std::nullopt, FileState{"#!/bin/sh\n", 0644}}), "medium");
    const RiskVerdict verdict = [] {
        const TreeChange change = changed("a.c", 0755);
        return weigh_risk({{&change, {}}});
    }();
    CHECK_EQUAL(verdict.risk, Risk::High);
    CHECK_EQUAL(verdict.reasons.at(0), "makes 'a.c' executable");
}

void removals_are_a_risk()
{
    const TreeChange gone{"a.c", FileState{"x\n", 0644}, std::nullopt};
    CHECK_EQUAL(risk_of(gone), "medium");
    CHECK_EQUAL(
        std::string(risk_name(
            weigh_risk({{&gone, {}}, {&gone, {}}, {&gone, {}}, {&gone, {}}}).risk)),
        "high");
    std::string long_text;
    for (int i = 0; i < 60; i++) {
        long_text += "x\n";
    }
    CHECK_EQUAL(
        risk_of({"a.c", FileState{long_text, 0644}, FileState{"y\n", 0644}}, {1, 30}),
        "medium");
}

void names_are_read_back()
{
    CHECK(risk_from("medium") == Risk::Medium);
    CHECK(!risk_from("Medium"));
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(documents_are_no_risk_and_code_is_low),
        TEST(many_lines_are_a_risk),
        TEST(what_is_executed_is_a_risk),
        TEST(removals_are_a_risk),
        TEST(names_are_read_back),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
