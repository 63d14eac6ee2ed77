#include "domain/agent_template.hh"

#include "base/text.hh"
#include "sys/path.hh"

#include <algorithm>
#include <cstdlib>

namespace ap {

namespace {

constexpr size_t largest_template = 1 << 20;
constexpr std::string_view key_place = "@key@";
constexpr std::string_view members[] = {"arguments",   "comment",
                                        "environment", "environment_without_arguments",
                                        "files",       "program"};

// Reads the members of one template and names it in what it throws.
class TemplateReader
{
public:
    TemplateReader(const Json &value, const std::string &source)
        : value_(value)
        , source_(source)
    {
        if (!value_.is_object()) {
            refuse("", "an object", value_);
        }
        for (const std::string &name : value_.keys()) {
            if (std::find(std::begin(members), std::end(members), name) ==
                std::end(members)) {
                throw Error(ExitStatus::Config,
                            source_ + ": unknown member '" + printable(name) + "'");
            }
        }
    }

    std::string text(std::string_view member) const
    {
        const Json value = value_.get(member);
        if (value && !value.is_string()) {
            refuse(member, "a string", value);
        }
        return value ? value.as_string() : std::string();
    }

    std::vector<std::string> list(std::string_view member) const
    {
        return value_.get(member) ? list_of(member, value_.get(member))
                                  : std::vector<std::string>();
    }

    // An object of strings; with `lines`, an array of strings is as good as one.
    AgentTemplate::Strings strings(std::string_view member, bool lines) const
    {
        AgentTemplate::Strings found;
        const Json value = value_.get(member);
        if (value && !value.is_object()) {
            refuse(member, "an object of names and strings", value);
        }
        for (const std::string &name : value.keys()) {
            const Json item = value.get(name);
            const std::string path = std::string(member) + "/" + name;
            if (lines && item.is_array()) {
                found[name] = join(list_of(path, item), "\n") + "\n";
            } else if (item.is_string()) {
                found[name] = item.as_string();
            } else {
                refuse(path, lines ? "a string or an array of lines" : "a string", item);
            }
        }
        return found;
    }

    void refuse_key(std::string_view member, std::string_view text) const
    {
        if (text.find(key_place) != std::string_view::npos) {
            throw Error(ExitStatus::Config,
                        source_ + ": " + std::string(member) +
                            ": @key@ may stand in the environment only");
        }
    }

    void require_below(const std::string &name) const
    {
        const auto pieces = split(name, '/');
        if (name.empty() || name.front() == '/' ||
            std::find(pieces.begin(), pieces.end(), "..") != pieces.end()) {
            throw Error(ExitStatus::Config,
                        source_ + ": files: expected a relative path without \"..\", " +
                            "got '" + printable(name) + "'");
        }
    }

private:
    [[noreturn]] void refuse(std::string_view member, std::string_view expected,
                             const Json &got) const
    {
        throw Error(ExitStatus::Config, source_ + ": " + std::string(member) +
                                            (member.empty() ? "" : ": ") + "expected " +
                                            std::string(expected) + ", got " +
                                            printable(got.dump(), 60));
    }

    std::vector<std::string> list_of(std::string_view member, const Json &value) const
    {
        std::vector<std::string> items;
        if (!value.is_array()) {
            refuse(member, "an array of strings", value);
        }
        for (size_t i = 0; i < value.size(); i++) {
            if (!value.at(i).is_string()) {
                refuse(member, "an array of strings", value.at(i));
            }
            items.push_back(value.at(i).as_string());
        }
        return items;
    }

    const Json &value_;
    const std::string &source_;
};

std::string filled(std::string text, const AgentPlace &place)
{
    const std::pair<std::string_view, const std::string &> values[] = {
        {"@url@", place.url}, {key_place, place.key}, {"@directory@", place.directory}};
    for (const auto &[name, value] : values) {
        for (size_t at = 0; (at = text.find(name, at)) != std::string::npos;) {
            text.replace(at, name.size(), value);
            at += value.size();
        }
    }
    return text;
}

bool runs_program(const PlanCommand &command, std::string_view program)
{
    const std::string_view first = command.argv.front();
    const size_t slash = first.rfind('/');
    return !command.is_shell &&
           first.substr(slash == std::string_view::npos ? 0 : slash + 1) == program;
}

} // namespace

AgentTemplate read_agent_template(std::string_view text, const std::string &source)
{
    Json value;
    try {
        value = Json::parse(text, source);
    } catch (const Error &error) {
        throw Error(ExitStatus::Config, error.what());
    }
    const TemplateReader reader(value, source);
    AgentTemplate agent;
    agent.program = reader.text("program");
    agent.arguments = reader.list("arguments");
    agent.environment = reader.strings("environment", false);
    agent.environment_without_arguments =
        reader.strings("environment_without_arguments", false);
    agent.files = reader.strings("files", true);
    for (const std::string &argument : agent.arguments) {
        reader.refuse_key("arguments", argument);
    }
    for (const auto &[name, content] : agent.files) {
        reader.require_below(name);
        reader.refuse_key("files", content);
    }
    return agent;
}

AgentTemplate load_agent_template(std::string_view name)
{
    const std::string file_name = std::string(name) + ".json";
    const char *configured = std::getenv("AUTOPACK_AGENTS_DIR");
    const std::string own =
        configured == nullptr ? std::string() : join_path(configured, file_name);
    const std::string installed = join_path(AP_DATADIR "/agents", file_name);
    for (const std::string &path : {own, installed}) {
        if (!path.empty() && path_exists(path)) {
            return read_agent_template(read_file(path, largest_template), path);
        }
    }
    throw Error(ExitStatus::Config,
                "no template for agent '" + printable(name) + "': " +
                    (own.empty() ? std::string() : "neither '" + own + "' nor ") + "'" +
                    installed + "'" + (own.empty() ? " does not exist" : " exists"));
}

void apply_agent_template(const AgentTemplate &agent, const AgentPlace &place,
                          PlanCommand &command, AgentTemplate::Strings &variables)
{
    for (const auto &[name, content] : agent.files) {
        const std::string path = join_path(place.directory, name);
        make_directories(parent_path(path), 0700);
        replace_file(path, filled(content, place), 0600);
    }
    for (const auto &[name, value] : agent.environment) {
        variables[name] = filled(value, place);
    }
    if (!agent.program.empty() && runs_program(command, agent.program)) {
        std::vector<std::string> arguments;
        for (const std::string &argument : agent.arguments) {
            arguments.push_back(filled(argument, place));
        }
        command.argv.insert(command.argv.begin() + 1, arguments.begin(), arguments.end());
        return;
    }
    for (const auto &[name, value] : agent.environment_without_arguments) {
        variables[name] = filled(value, place);
    }
}

} // namespace ap
