#pragma once

#include "domain/plan.hh"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// What an agent needs besides the usual variables to be pointed at the gateway: a file
/// NAME.json of the agents directory, an object with the members below, all optional.
///
/// In its strings @url@ is the gateway's URL, @directory@ the attempt's directory for
/// generated files, and @key@ the capability; the key may stand in variables only, as
/// arguments and files are read by others.
struct AgentTemplate
{
    using Strings = std::map<std::string, std::string, std::less<>>;

    std::string program;                   ///< "program": whose arguments are meant
    std::vector<std::string> arguments;    ///< "arguments": put after the program's name
    Strings environment;                   ///< "environment"
    Strings environment_without_arguments; ///< for a command, such as a shell string,
                                           ///< that "arguments" cannot be put into
    Strings files; ///< "files": written below @directory@; a string or an array of lines
};

/// Reads a template. Throws Error(Config) "`source`: MEMBER: expected ..., got ..." for
/// unknown members, wrong types, files that are not below the directory, or a key where
/// it may not stand.
AgentTemplate read_agent_template(std::string_view text, const std::string &source);

/// The template `name`: from AUTOPACK_AGENTS_DIR if that has one, else the one installed
/// with the suite. Throws Error(Config) that names the places if there is none.
AgentTemplate load_agent_template(std::string_view name);

/// Values for the placeholders.
struct AgentPlace
{
    std::string url;
    std::string key;
    std::string directory;
};

/// Changes a command and its variables as the template says and writes its files, the
/// directory 0700.
void apply_agent_template(const AgentTemplate &agent, const AgentPlace &place,
                          PlanCommand &command, AgentTemplate::Strings &variables);

} // namespace ap
