#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// One option of a tool. Feeds the parser, --help, and the test that compares the man
/// page and the completions.
struct Option
{
    char short_name;           ///< 0 for none
    std::string_view name;     ///< long name without the dashes
    std::string_view argument; ///< name of its argument in --help; empty if it takes none
    std::string_view help;     ///< one line
};

/// One verb of a tool ("ap-db init"), with the operands it takes.
struct Verb
{
    std::string_view name;
    std::string_view operands; ///< for --help: "RUN [PHASE]"; empty for none
    std::string_view help;
    size_t least = 0; ///< operands it needs
    size_t most = 0;  ///< operands it takes at most
};

/// A tool's whole command line. --help (-h) and --version (-V) are added to every tool.
struct ToolSpec
{
    std::string_view name;    ///< "ap-db"
    std::string_view summary; ///< one line, as in the man page's NAME
    std::span<const Option> options;
    std::span<const Verb> verbs = {}; ///< empty for a tool without verbs
    std::string_view operands = {};   ///< without verbs: operands for --help
    size_t least = 0;                 ///< without verbs: operands needed
    size_t most = 0;
    bool stop_at_operand =
        false; ///< options end at the first operand (or the first after
               ///< the verb), which starts a command: ap-breaker run
};

/// A parsed command line.
class Arguments
{
public:
    /// Parses with GNU rules: options anywhere, --name=value, -xVALUE, -abc, "--" ends
    /// them, unique prefixes are not accepted. An unknown option or verb names the
    /// nearest. Throws UsageError.
    Arguments(const ToolSpec &spec, int argc, const char *const *argv);

    std::string_view verb() const noexcept { return verb_; }
    const std::vector<std::string> &operands() const noexcept { return operands_; }

    /// The operand at `index`, from 0; empty if there is none.
    std::string operand(size_t index) const;

    bool has(std::string_view option) const;

    /// The option's last value; nothing if it was not given.
    std::optional<std::string> value(std::string_view option) const;

    /// All its values in order.
    std::vector<std::string> values(std::string_view option) const;

    /// Its value as a whole number within [low, high]; UsageError otherwise.
    std::optional<int64_t> integer(std::string_view option, int64_t low,
                                   int64_t high) const;

    /// The position in `values` of its value, which must be one of them; UsageError
    /// otherwise.
    std::optional<size_t> choice(std::string_view option,
                                 std::span<const std::string_view> values) const;

    /// Its value as a length of time such as "90s"; UsageError otherwise.
    std::optional<std::chrono::milliseconds> duration(std::string_view option) const;

private:
    struct Given
    {
        std::string_view option;
        std::string value;
    };
    class Words;

    void take(const ToolSpec &spec, Words &words);
    void take_long(const ToolSpec &spec, std::string_view word, Words &words);
    void take_short(const ToolSpec &spec, std::string_view letters, Words &words);
    void give(const Option &option, std::optional<std::string_view> attached,
              Words &words);
    void check_operands(const ToolSpec &spec) const;

    std::string_view verb_;
    std::vector<Given> given_;
    std::vector<std::string> operands_;
};

/// What --help prints: usage line, summary, verbs, options; at most 80 columns.
std::string help_text(const ToolSpec &spec);

} // namespace ap
