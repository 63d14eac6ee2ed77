#include "cli/options.hh"

#include "base/error.hh"
#include "base/text.hh"

#include <algorithm>

namespace ap {

namespace {

constexpr Option standard_options[] = {
    {'h', "help", "", "print this summary"},
    {'V', "version", "", "print the version"},
};

constexpr size_t help_column = 30;
constexpr size_t help_width = 79;

const Option *find_option(const ToolSpec &spec, auto matches)
{
    for (const std::span<const Option> table :
         {spec.options, std::span<const Option>(standard_options)}) {
        const auto found = std::find_if(table.begin(), table.end(), matches);
        if (found != table.end()) {
            return &*found;
        }
    }
    return nullptr;
}

std::string suggestion(std::string_view word, std::span<const std::string_view> known,
                       std::string_view prefix)
{
    const auto likely = nearest(word, known);
    return likely ? "; did you mean '" + std::string(prefix) + std::string(*likely) + "'?"
                  : std::string();
}

const Option &long_option(const ToolSpec &spec, std::string_view name)
{
    const Option *option =
        find_option(spec, [&](const Option &o) { return o.name == name; });
    if (option != nullptr) {
        return *option;
    }
    std::vector<std::string_view> known = {"help", "version"};
    for (const Option &candidate : spec.options) {
        known.push_back(candidate.name);
    }
    throw UsageError("unknown option '--" + printable(name) + "'" +
                     suggestion(name, known, "--"));
}

const Option &short_option(const ToolSpec &spec, char letter)
{
    const Option *option = find_option(
        spec, [&](const Option &o) { return letter != 0 && o.short_name == letter; });
    if (option == nullptr) {
        throw UsageError("unknown option '-" + printable(std::string(1, letter)) + "'");
    }
    return *option;
}

const Verb &find_verb(const ToolSpec &spec, std::string_view name)
{
    const auto verb = std::find_if(spec.verbs.begin(), spec.verbs.end(),
                                   [&](const Verb &v) { return v.name == name; });
    if (verb != spec.verbs.end()) {
        return *verb;
    }
    std::vector<std::string_view> known;
    for (const Verb &candidate : spec.verbs) {
        known.push_back(candidate.name);
    }
    throw UsageError("unknown verb '" + printable(name) + "'" +
                     suggestion(name, known, ""));
}

// `names`: what --help calls the operands.
void check_count(const std::vector<std::string> &operands, std::string_view names,
                 size_t least, size_t most)
{
    if (operands.size() < least) {
        throw UsageError("expected " + std::string(least == most ? "" : "at least ") +
                         std::to_string(least) + " operand" + (least == 1 ? "" : "s") +
                         " (" + std::string(names) + "), got " +
                         std::to_string(operands.size()));
    }
    if (operands.size() > most) {
        throw UsageError("unexpected operand '" + printable(operands[most]) + "'");
    }
}

std::string usage_line(const ToolSpec &spec)
{
    std::string line = "usage: " + std::string(spec.name) + " [options]";
    if (!spec.verbs.empty()) {
        line += " VERB [operands]";
    }
    if (!spec.operands.empty()) {
        line += " " + std::string(spec.operands);
    }
    return line + "\n";
}

// One entry: `left` in its column, `text` beside it, wrapped between words.
std::string help_entry(std::string left, std::string_view text)
{
    std::string entry = "  " + std::move(left);
    entry += entry.size() + 2 > help_column
                 ? "\n" + std::string(help_column, ' ')
                 : std::string(help_column - entry.size(), ' ');
    size_t column = help_column;
    for (const std::string_view word : split(text, ' ')) {
        if (column > help_column && column + 1 + word.size() > help_width) {
            entry += "\n" + std::string(help_column, ' ');
            column = help_column;
        }
        if (column > help_column) {
            entry += ' ';
            column++;
        }
        entry += word;
        column += word.size();
    }
    return entry + "\n";
}

std::string option_entry(const Option &option)
{
    std::string left =
        option.short_name == 0 ? "    " : std::string("-") + option.short_name + ", ";
    left += "--" + std::string(option.name);
    if (!option.argument.empty()) {
        left += "=" + std::string(option.argument);
    }
    return help_entry(std::move(left), option.help);
}

} // namespace

// The words of a command line, handed out one by one.
class Arguments::Words
{
public:
    Words(int argc, const char *const *argv)
        : words_(argv + (argc > 0 ? 1 : 0), argv + argc)
    {
    }

    std::optional<std::string_view> next()
    {
        return at_ == words_.size() ? std::nullopt : std::optional(words_[at_++]);
    }

private:
    std::vector<std::string_view> words_;
    size_t at_ = 0;
};

Arguments::Arguments(const ToolSpec &spec, int argc, const char *const *argv)
{
    Words words(argc, argv);
    take(spec, words);
    if (!has("help") && !has("version")) {
        check_operands(spec);
    }
}

void Arguments::take(const ToolSpec &spec, Words &words)
{
    bool options_end = false;
    while (const auto next = words.next()) {
        const std::string_view word = *next;
        if (options_end || word == "-" || !word.starts_with('-')) {
            if (!spec.verbs.empty() && verb_.empty()) {
                verb_ = find_verb(spec, word).name;
            } else {
                operands_.emplace_back(word);
                options_end = options_end || spec.stop_at_operand;
            }
        } else if (word == "--") {
            options_end = true;
        } else if (word.starts_with("--")) {
            take_long(spec, word.substr(2), words);
        } else {
            take_short(spec, word.substr(1), words);
        }
    }
}

void Arguments::take_long(const ToolSpec &spec, std::string_view word, Words &words)
{
    const size_t equals = word.find('=');
    const Option &option = long_option(spec, word.substr(0, equals));
    give(option,
         equals == std::string_view::npos ? std::nullopt
                                          : std::optional(word.substr(equals + 1)),
         words);
}

void Arguments::take_short(const ToolSpec &spec, std::string_view letters, Words &words)
{
    while (!letters.empty()) {
        const Option &option = short_option(spec, letters.front());
        letters.remove_prefix(1);
        if (!option.argument.empty()) {
            give(option, letters.empty() ? std::nullopt : std::optional(letters), words);
            return;
        }
        give(option, std::nullopt, words);
    }
}

// The value of an option is what is attached to it, else the next word.
void Arguments::give(const Option &option, std::optional<std::string_view> attached,
                     Words &words)
{
    const std::string shown = "--" + std::string(option.name);
    if (option.argument.empty()) {
        if (attached) {
            throw UsageError("option '" + shown + "' takes no argument");
        }
        given_.push_back({option.name, ""});
        return;
    }
    const auto value = attached ? attached : words.next();
    if (!value) {
        throw UsageError("option '" + shown + "' needs an argument (" +
                         std::string(option.argument) + ")");
    }
    given_.push_back({option.name, std::string(*value)});
}

void Arguments::check_operands(const ToolSpec &spec) const
{
    if (spec.verbs.empty()) {
        check_count(operands_, spec.operands, spec.least, spec.most);
        return;
    }
    if (verb_.empty()) {
        std::vector<std::string> names;
        for (const Verb &verb : spec.verbs) {
            names.emplace_back(verb.name);
        }
        throw UsageError("a verb is needed: " + join(names, ", "));
    }
    const Verb &verb = find_verb(spec, verb_);
    check_count(operands_, verb.operands, verb.least, verb.most);
}

std::string Arguments::operand(size_t index) const
{
    return index < operands_.size() ? operands_[index] : std::string();
}

bool Arguments::has(std::string_view option) const
{
    return std::any_of(given_.begin(), given_.end(),
                       [&](const Given &given) { return given.option == option; });
}

std::optional<std::string> Arguments::value(std::string_view option) const
{
    const auto last =
        std::find_if(given_.rbegin(), given_.rend(),
                     [&](const Given &given) { return given.option == option; });
    return last == given_.rend() ? std::nullopt : std::optional(last->value);
}

std::vector<std::string> Arguments::values(std::string_view option) const
{
    std::vector<std::string> all;
    for (const Given &given : given_) {
        if (given.option == option) {
            all.push_back(given.value);
        }
    }
    return all;
}

std::optional<int64_t> Arguments::integer(std::string_view option, int64_t low,
                                          int64_t high) const
{
    const auto text = value(option);
    if (!text) {
        return std::nullopt;
    }
    const auto number = parse_integer(*text, low, high);
    if (!number) {
        throw UsageError("--" + std::string(option) + ": expected a whole number from " +
                         std::to_string(low) + " to " + std::to_string(high) + ", got '" +
                         printable(*text) + "'");
    }
    return number;
}

std::optional<size_t> Arguments::choice(std::string_view option,
                                        std::span<const std::string_view> values) const
{
    const auto text = value(option);
    if (!text) {
        return std::nullopt;
    }
    const auto found = std::find(values.begin(), values.end(), *text);
    if (found == values.end()) {
        throw UsageError("--" + std::string(option) + ": expected " +
                         alternatives(values) + ", got '" + printable(*text) + "'");
    }
    return static_cast<size_t>(found - values.begin());
}

std::optional<std::chrono::milliseconds>
Arguments::duration(std::string_view option) const
{
    const auto text = value(option);
    const auto length = text ? parse_duration(*text) : std::nullopt;
    if (text && !length) {
        throw UsageError("--" + std::string(option) +
                         ": expected a duration such as 90s, got '" + printable(*text) +
                         "'");
    }
    return length;
}

std::string help_text(const ToolSpec &spec)
{
    std::string text = usage_line(spec) + std::string(spec.summary) + "\n";
    if (!spec.verbs.empty()) {
        text += "\nverbs:\n";
        for (const Verb &verb : spec.verbs) {
            std::string left(verb.name);
            if (!verb.operands.empty()) {
                left += " " + std::string(verb.operands);
            }
            text += help_entry(std::move(left), verb.help);
        }
    }
    text += "\noptions:\n";
    for (const Option &option : spec.options) {
        text += option_entry(option);
    }
    for (const Option &option : standard_options) {
        text += option_entry(option);
    }
    return text;
}

} // namespace ap
