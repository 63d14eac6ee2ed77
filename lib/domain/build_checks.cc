#include "domain/build_checks.hh"

#include "base/text.hh"
#include "domain/child_environment.hh"
#include "sys/command.hh"

#include <algorithm>

namespace ap {

namespace {

constexpr size_t longest_tail = 6000;

std::string name_of(const PlanCommand &command)
{
    return printable(command.is_shell ? command.argv.back() : join(command.argv, " "));
}

// The last whole lines of a text.
std::string tail_of(const std::string &text)
{
    if (text.size() <= longest_tail) {
        return text;
    }
    const size_t begin = text.find('\n', text.size() - longest_tail);
    return begin == std::string::npos ? text.substr(text.size() - longest_tail)
                                      : text.substr(begin + 1);
}

} // namespace

std::vector<BuildCheck> run_build_checks(const std::vector<PlanCommand> &checks,
                                         const std::string &directory,
                                         std::chrono::milliseconds timeout)
{
    std::vector<BuildCheck> results;
    for (const PlanCommand &check : checks) {
        Command command;
        command.argv = {"env"};
        for (const std::string &name : provider_variables()) {
            command.argv.insert(command.argv.end(), {"-u", name});
        }
        command.argv.insert(command.argv.end(), check.argv.begin(), check.argv.end());
        command.directory = directory;
        command.timeout = timeout;
        command.merge_error = true;
        const CommandResult result = run_command(command);
        results.push_back(
            {name_of(check), result.succeeded(), result.text(), tail_of(result.output)});
    }
    return results;
}

bool all_passed(const std::vector<BuildCheck> &checks)
{
    return std::all_of(checks.begin(), checks.end(),
                       [](const BuildCheck &check) { return check.passed; });
}

std::string checks_to_text(const std::vector<BuildCheck> &checks)
{
    std::string text;
    for (const BuildCheck &check : checks) {
        text += "check '" + check.name + "' " +
                (check.passed ? "passed" : "failed: it " + check.how) + "\n";
        text += check.passed ? "" : check.tail;
        text += text.ends_with('\n') ? "" : "\n";
    }
    return text;
}

Json checks_to_json(const std::vector<BuildCheck> &checks)
{
    Json array = Json::array();
    for (const BuildCheck &check : checks) {
        array.append(Json::object()
                         .set("name", check.name)
                         .set("passed", check.passed)
                         .set("how", check.how)
                         .set("tail", check.tail));
    }
    return array;
}

std::vector<BuildCheck> checks_from_json(const Json &json)
{
    std::vector<BuildCheck> checks;
    for (size_t i = 0; i < json.size(); i++) {
        const Json check = json.at(i);
        checks.push_back({check.get_string("name").value_or(""),
                          check.get_boolean("passed").value_or(false),
                          check.get_string("how").value_or(""),
                          check.get_string("tail").value_or("")});
    }
    return checks;
}

} // namespace ap
