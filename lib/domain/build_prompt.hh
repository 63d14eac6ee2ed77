#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// What a builder is shown.
struct BuildMatter
{
    std::string goal;
    std::vector<std::string> scope;
    std::vector<std::string> acceptance;
    std::string context; ///< of the repository, as choose_context() gives it
    std::string rules;   ///< learned ones, a line each; may be empty
    std::string checks;  ///< what fails of them before the change; may be empty
    bool may_go_on_failing = false; ///< such tests by name
    std::string evidence;           ///< why earlier builds failed; may be empty
};

/// What a builder is told to do, and in what forms it may answer.
extern const std::string_view builder_instructions;

/// The matter as a prompt.
std::string builder_prompt(const BuildMatter &matter);

} // namespace ap
