#include "domain/build_checks.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/child_environment.hh"

#include <algorithm>

namespace ap {

namespace {

constexpr size_t most_details = 8000; ///< bytes of what failing tests say, in a text
constexpr size_t most_names = 40;     ///< of each kind

using Names = std::vector<std::string>;

bool has(const Names &names, const std::string &name)
{
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string name_of(const PlanCommand &command)
{
    return printable(command.is_shell ? command.argv.back() : join(command.argv, " "));
}

Names names_of(const std::vector<Check> &checks)
{
    Names names;
    for (const Check &check : checks) {
        names.push_back(check.name);
    }
    return names;
}

// What of the baseline excuses a failure, with all that it has to tell what is missing.
std::optional<CheckBaseline> excuses(const BuildCheckOrder &order,
                                     const std::optional<CheckBaseline> &baseline)
{
    auto left = baseline;
    if (left && order.known == KnownFailures::Fix) {
        left->failed.clear();
    } else if (left) {
        const Names whole = names_of(order.checks);
        std::erase_if(left->failed, [&](const auto &name) { return has(whole, name); });
    }
    return left;
}

std::string listed(const std::string &title, const Names &names)
{
    std::string text;
    for (size_t i = 0; i < std::min(names.size(), most_names); i++) {
        text += (i == 0 ? "" : ", ") + printable(names[i]);
    }
    if (names.size() > most_names) {
        text += " and " + std::to_string(names.size() - most_names) + " more";
    }
    return text.empty() ? "" : title + ": " + text + "\n";
}

// What a summary comes to, in words and in one verdict.
class Teller
{
public:
    Teller(const CheckSummary &summary, const std::optional<CheckBaseline> &baseline)
        : summary_(summary)
        , failed_before_(baseline ? baseline->failed : Names())
    {
    }

    BuildChecks tell()
    {
        result_.passed = summary_.status() == ExitStatus::Done;
        result_.outcome = summary_.outcome;
        result_.summary = check_summary_to_json(summary_);
        for (const CheckEnd &end : summary_.checks) {
            tell_of(end);
        }
        Names fixed;
        for (const std::string &name : failed_before_) {
            if (!has(summary_.outcome.failed, name)) {
                fixed.push_back(name);
            }
        }
        result_.text +=
            listed("known to fail before the change, too", summary_.known) +
            listed("failed before the change, and do not now", fixed) +
            listed("failed, and passed when run again", summary_.flaky) +
            listed("were run before the change, and are not now", summary_.missing) +
            std::to_string(summary_.passed) + " passed, " +
            std::to_string(summary_.failed) + " failed, " +
            std::to_string(summary_.skipped) + " skipped\n";
        return std::move(result_);
    }

private:
    void tell_of(const CheckEnd &end)
    {
        std::vector<const FailedTest *> tests;
        for (const FailedTest &test : summary_.new_failures) {
            if (test.check == end.name) {
                tests.push_back(&test);
            }
        }
        const bool succeeded = end.end == CommandEnd::Exited && end.status == 0;
        result_.text += "check '" + end.name + "' ";
        if (tests.empty()) {
            result_.text +=
                succeeded ? "passed\n"
                          : "fails only as before the change: it " + end.text + "\n";
            return;
        }
        result_.text += "failed: it " + end.text + "\n";
        for (const FailedTest *test : tests) {
            tell_of(*test, end);
        }
        if (result_.check.empty()) {
            result_.check = end.name;
            result_.reason = reason_for(end, tests);
        }
    }

    // A check that is itself the test says all by what it wrote.
    void tell_of(const FailedTest &test, const CheckEnd &end)
    {
        const bool is_whole = test.name == end.name;
        const std::string &detail =
            is_whole || test.detail.empty() ? end.tail : test.detail;
        const bool failed_before = has(failed_before_, test.name);
        result_.signature += test.name + "\n" + (is_whole ? detail : test.detail) + "\n";
        if (!is_whole || failed_before) {
            result_.text +=
                (is_whole ? "it" : printable(test.name)) +
                (failed_before ? " failed before the change, too\n" : " failed\n");
        }
        if (details_ + detail.size() <= most_details && detail != last_detail_) {
            details_ += detail.size();
            result_.text += detail;
            result_.text += detail.empty() || detail.ends_with('\n') ? "" : "\n";
            last_detail_ = detail;
        }
    }

    std::string reason_for(const CheckEnd &end,
                           const std::vector<const FailedTest *> &tests) const
    {
        std::string reason = "check '" + end.name + "' " + end.text;
        const FailedTest &first = *tests.front();
        if (first.name != end.name) {
            reason += ": " + first.name + " failed";
        }
        if (tests.size() > 1) {
            reason += ", and " + std::to_string(tests.size() - 1) + " more";
        }
        const bool are_known =
            std::all_of(tests.begin(), tests.end(), [&](const FailedTest *test) {
                return test->name != end.name && has(failed_before_, test->name);
            });
        // The one who reads it may not want those fixed.
        return reason + (are_known ? ", as before the change; \"known_failures\": "
                                     "\"accept\" would allow that"
                                   : "");
    }

    const CheckSummary &summary_;
    Names failed_before_;
    size_t details_ = 0;
    std::string last_detail_;
    BuildChecks result_;
};

} // namespace

BuildCheckOrder build_check_order(const PhaseSpec &phase,
                                  const std::vector<std::string> &key_variables)
{
    BuildCheckOrder order;
    for (const PlanCommand &command : phase.checks) {
        order.checks.push_back({name_of(command), command.argv});
    }
    order.options.timeout = phase.timeout;
    order.options.idle_timeout = phase.idle_timeout;
    order.options.grace = phase.grace;
    order.options.retries = phase.build->check_retries;
    order.options.withheld = withheld_from_checks(phase, key_variables);
    order.known = phase.build->known_failures;
    return order;
}

BuildChecks run_build_checks(const BuildCheckOrder &order,
                             const std::optional<CheckBaseline> &baseline)
{
    if (order.checks.empty()) {
        return {};
    }
    try {
        const CheckSummary summary =
            run_checks(order.checks, order.options, excuses(order, baseline));
        return Teller(summary, baseline).tell();
    } catch (const Error &error) {
        if (error.status() != ExitStatus::BadData) {
            throw;
        }
        // A report that nobody can read, which the change may well have written.
        BuildChecks broken;
        broken.passed = false;
        broken.check = order.checks.front().name;
        broken.reason = std::string("the checks cannot be understood: ") + error.what();
        broken.signature = error.what();
        broken.text = broken.reason + "\n";
        broken.outcome.failed = names_of(order.checks);
        return broken;
    }
}

Json build_checks_to_json(const BuildChecks &checks)
{
    return Json::object()
        .set("passed", checks.passed)
        .set("check", checks.check)
        .set("reason", checks.reason)
        .set("signature", checks.signature)
        .set("text", checks.text)
        .set("outcome", baseline_to_json(checks.outcome))
        .set("summary", checks.summary ? checks.summary : Json::null());
}

BuildChecks build_checks_from_json(const Json &json, const std::string &source)
{
    BuildChecks checks;
    checks.passed = json.get_boolean("passed").value_or(false);
    checks.check = json.get_string("check").value_or("");
    checks.reason = json.get_string("reason").value_or("");
    checks.signature = json.get_string("signature").value_or("");
    checks.text = json.get_string("text").value_or("");
    checks.outcome = baseline_from_json(json.get("outcome"), source);
    checks.summary = json.get("summary");
    return checks;
}

} // namespace ap
