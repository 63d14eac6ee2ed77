#include "domain/config.hh"

#include "base/text.hh"
#include "domain/budget.hh"
#include "sys/capped_log.hh"
#include "sys/path.hh"
#include "wrap/json.hh"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

namespace ap {

namespace {

constexpr size_t longest_file = 1 << 20;
constexpr int64_t largest_output_limit = int64_t{1} << 40;

constexpr double largest_multiplier = 1000;

// A value, and where it stands for messages.
struct Setting
{
    std::string value;
    std::string origin; // "NAME" in the environment, "FILE:LINE: NAME"
};

[[noreturn]] void refuse(const Setting &setting, std::string_view expected)
{
    throw Error(ExitStatus::Config, setting.origin + ": expected " +
                                        std::string(expected) + ", got '" +
                                        printable(setting.value) + "'");
}

int64_t read_integer(const Setting &setting, int64_t low, int64_t high)
{
    const auto value = parse_integer(setting.value, low, high);
    if (!value) {
        refuse(setting, "a whole number from " + std::to_string(low) + " to " +
                            std::to_string(high));
    }
    return *value;
}

// Words, not a shell's text: nothing of a question ever becomes a command.
void read_approval_command(Config &config, const Setting &setting)
{
    const auto words = Json::try_parse(setting.value);
    bool sound = words && words->is_array() && words->size() > 0;
    config.approval_command.clear();
    for (size_t i = 0; sound && i < words->size(); i++) {
        sound = words->at(i).is_string();
        config.approval_command.push_back(sound ? words->at(i).as_string() : "");
    }
    if (!sound || config.approval_command.front().empty()) {
        refuse(setting, "a JSON array of a program and its arguments");
    }
}

void read_backup_directory(Config &config, const Setting &setting)
{
    if (setting.value.empty()) {
        refuse(setting, "a path");
    }
    config.backup_directory = setting.value;
}

void read_jobs(Config &config, const Setting &setting)
{
    config.jobs = static_cast<int>(read_integer(setting, 1, Config::most_jobs));
}

void read_launcher(Config &config, const Setting &setting)
{
    const auto launcher = launcher_from_name(setting.value);
    if (!launcher) {
        refuse(setting, "local or slurm");
    }
    config.launcher = *launcher;
}

void read_ledger(Config &config, const Setting &setting)
{
    if (setting.value != "on" && setting.value != "off") {
        refuse(setting, "on or off");
    }
    config.keeps_ledger = setting.value == "on";
}

void read_output_limit(Config &config, const Setting &setting)
{
    config.output_limit =
        read_integer(setting, CappedLog::smallest_limit, largest_output_limit);
}

void read_phase_token_cap(Config &config, const Setting &setting)
{
    config.token_caps.phase = read_integer(setting, 0, largest_amount);
}

// "TYPE:NUMBER,..."; types that are not named keep their multiplier.
void read_multipliers(Config &config, const Setting &setting)
{
    std::set<std::string_view> seen;
    for (const std::string_view item : split(setting.value, ',')) {
        const size_t colon = std::min(item.find(':'), item.size());
        const std::string_view type = trim(item.substr(0, colon));
        const auto factor =
            parse_decimal(trim(item.substr(std::min(colon + 1, item.size()))));
        if (!is_identifier(type) || !factor || *factor > largest_multiplier) {
            refuse(setting, "TYPE:NUMBER,... with numbers from 0 to 1000");
        }
        if (!seen.insert(type).second) {
            refuse(setting, "each type once");
        }
        config.token_caps.multipliers.insert_or_assign(std::string(type), *factor);
    }
}

void read_run_token_cap(Config &config, const Setting &setting)
{
    config.token_caps.run = read_integer(setting, 0, largest_amount);
    config.token_caps.run_is_set = true;
}

struct Key
{
    std::string_view name;
    void (*read)(Config &, const Setting &);
};

// Sorted; each is explained in autopack.conf(5).
constexpr Key keys[] = {
    {"AUTOPACK_APPROVAL_COMMAND", read_approval_command},
    {"AUTOPACK_BACKUP_DIR", read_backup_directory},
    {"AUTOPACK_JOBS", read_jobs},
    {"AUTOPACK_LAUNCHER", read_launcher},
    {"AUTOPACK_LEDGER", read_ledger},
    {"AUTOPACK_OUTPUT_LIMIT", read_output_limit},
    {"AUTOPACK_PHASE_TOKEN_CAP", read_phase_token_cap},
    {"AUTOPACK_PHASE_TOKEN_MULTIPLIERS", read_multipliers},
    {"AUTOPACK_RUN_TOKEN_CAP", read_run_token_cap},
};

const Key &key_of(std::string_view name, const std::string &place)
{
    const auto key = std::find_if(std::begin(keys), std::end(keys),
                                  [&](const Key &k) { return k.name == name; });
    if (key != std::end(keys)) {
        return *key;
    }
    std::vector<std::string_view> names;
    for (const Key &known : keys) {
        names.push_back(known.name);
    }
    const auto likely = nearest(name, names);
    throw Error(ExitStatus::Config,
                place + ": unknown setting '" + printable(name) + "'" +
                    (likely ? "; did you mean '" + std::string(*likely) + "'?" : ""));
}

using Settings = std::map<std::string_view, Setting>;

void take_line(Settings &settings, std::string_view line, const std::string &place)
{
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) {
        throw Error(ExitStatus::Config,
                    place + ": expected NAME=VALUE, got '" + printable(line, 60) + "'");
    }
    const Key &key = key_of(trim(line.substr(0, equals)), place);
    const std::string name(key.name);
    const Setting setting = {std::string(trim(line.substr(equals + 1))),
                             place + ": " + name};
    if (!settings.emplace(key.name, setting).second) {
        throw Error(ExitStatus::Config, place + ": " + name + " is set twice");
    }
    // What the environment overrides is to be sound all the same.
    Config checked;
    key.read(checked, setting);
}

Settings read_lines(const std::string &path)
{
    const std::string text = read_file(path, longest_file);
    Settings settings;
    int64_t number = 0;
    for (const std::string_view whole : split(text, '\n')) {
        number++;
        const std::string_view line = trim(whole);
        if (!line.empty() && line.front() != '#') {
            take_line(settings, line, path + ":" + std::to_string(number));
        }
    }
    return settings;
}

Settings read_configuration_file(const StatePaths &paths)
{
    const char *named = std::getenv("AUTOPACK_CONFIG");
    const bool is_named = named != nullptr && *named != '\0';
    const std::string path =
        is_named ? named : join_path(paths.directory, "autopack.conf");
    if (!is_named && !path_exists(path)) {
        return {};
    }
    try {
        return read_lines(path);
    } catch (const SystemError &error) {
        throw Error(ExitStatus::Config, error.what());
    }
}

} // namespace

Config load_config(const StatePaths &paths)
{
    Settings settings = read_configuration_file(paths);
    Config config;
    for (const Key &key : keys) {
        const std::string name(key.name);
        if (const char *value = std::getenv(name.c_str()); value != nullptr) {
            settings.insert_or_assign(key.name, Setting{value, name});
        }
        if (const auto found = settings.find(key.name); found != settings.end()) {
            key.read(config, found->second);
        }
    }
    config.backup_directory = join_path(paths.directory, config.backup_directory);
    return config;
}

} // namespace ap
