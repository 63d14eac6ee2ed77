#include "domain/junit.hh"

#include "wrap/xml.hh"

namespace ap {

namespace {

class JunitHandler final : public XmlHandler
{
public:
    void on_start(std::string_view name, const Attributes &attributes) override
    {
        const auto value = [&](std::string_view key) {
            for (const auto &[attribute, text] : attributes) {
                if (attribute == key) {
                    return text;
                }
            }
            return std::string();
        };
        if (name == "testsuite") {
            suites_.push_back(value("name"));
        } else if (name == "testcase") {
            const std::string group = value("classname");
            const std::string &owner =
                group.empty() && !suites_.empty() ? suites_.back() : group;
            name_ = (owner.empty() ? "" : owner + ".") + value("name");
            outcome_ = TestOutcome::Passed;
            detail_.clear();
        } else if (name == "failure" || name == "error") {
            outcome_ = TestOutcome::Failed;
            detail_ += value("message") + "\n";
            in_detail_ = true;
        } else if (name == "skipped" && outcome_ == TestOutcome::Passed) {
            outcome_ = TestOutcome::Skipped;
        }
    }

    void on_text(std::string_view text) override
    {
        if (in_detail_ && detail_.size() < most_text) {
            detail_ += text;
        }
    }

    void on_end(std::string_view name) override
    {
        if (name == "testcase") {
            collector_.add(name_, outcome_, detail_);
        } else if (name == "testsuite" && !suites_.empty()) {
            suites_.pop_back();
        } else if (name == "failure" || name == "error") {
            in_detail_ = false;
        }
    }

    TestReport report() { return std::move(collector_.report()); }

private:
    static constexpr size_t most_text = 65536;

    TestCollector collector_{TestFormat::Junit};
    std::vector<std::string> suites_;
    std::string name_;
    TestOutcome outcome_ = TestOutcome::Passed;
    std::string detail_;
    bool in_detail_ = false;
};

} // namespace

TestReport read_junit(std::string_view text)
{
    JunitHandler handler;
    // A runner may print before its report.
    const size_t begin = text.find('<');
    parse_xml(begin == std::string_view::npos ? text : text.substr(begin), "JUnit report",
              handler);
    return handler.report();
}

} // namespace ap
