#include "base/error.hh"
#include "cli/table.hh"
#include "cli/tool.hh"
#include "domain/retention.hh"
#include "sys/progress.hh"
#include "wrap/json.hh"

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'d', "dir", "DIR", "the directory of the backups"},
    {0, "keep-daily", "N", "keep the newest of the last N days (default: 7)"},
    {0, "keep-weekly", "N", "keep the newest of the last N weeks (default: 4)"},
    {0, "keep-monthly", "N", "keep the newest of the last N months (default: 6)"},
    {'n', "dry-run", "", "only say what would be removed"},
    {'p', "passphrase-file", "FILE", "verify encrypted backups with its first line"},
    {'q', "quiet", "", "print nothing about what is removed or kept"},
    {0, "json", "", "print JSON, one object a line"},
};

constexpr ap::ToolSpec spec = {.name = "ap-prune",
                               .summary = "remove backups that are no longer wanted",
                               .options = options};

constexpr int64_t most_periods = 100'000;

void print_json(const ap::PruneResult &result)
{
    for (const ap::RetentionVerdict &verdict : result.verdicts) {
        ap::Json json = ap::Json::object();
        json.set("file", verdict.file.name)
            .set("id", verdict.file.id)
            .set("created_at", verdict.file.created_at)
            .set("bytes", verdict.file.size)
            .set("keep", verdict.keep)
            .set("reason", verdict.reason);
        ap::print(json.dump() + "\n");
    }
}

void print_table(const ap::PruneResult &result)
{
    ap::Table table({"DONE", "CREATED", "SIZE", "FILE", "WHY"});
    for (const ap::RetentionVerdict &verdict : result.verdicts) {
        table.add(
            {verdict.keep ? "keep" : "remove", ap::format_local(verdict.file.created_at),
             ap::format_bytes(verdict.file.size), verdict.file.name, verdict.reason});
    }
    ap::print(table.text());
}

ExitStatus prune(const ap::Arguments &arguments)
{
    const auto directory = arguments.value("dir");
    if (!directory) {
        throw ap::UsageError("expected --dir DIR");
    }
    ap::PruneOptions choice;
    choice.directory = *directory;
    choice.dry_run = arguments.has("dry-run");
    choice.rules = {arguments.integer("keep-daily", 0, most_periods).value_or(7),
                    arguments.integer("keep-weekly", 0, most_periods).value_or(4),
                    arguments.integer("keep-monthly", 0, most_periods).value_or(6)};
    choice.passphrase = ap::read_first_line(arguments.value("passphrase-file"));
    ap::ProgressBar bar(std::string(spec.name), "verify", arguments.has("quiet"));
    const ap::PruneResult result = ap::prune_backups(
        choice, [&](int64_t done, int64_t total) { bar.update(done, total); });
    for (const ap::LeftOut &ignored : result.ignored) {
        ap::warn("'" + ignored.path + "' is left alone: " + ignored.reason);
    }
    if (arguments.has("json")) {
        print_json(result);
    } else if (!arguments.has("quiet")) {
        print_table(result);
    }
    return ExitStatus::Done;
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, prune);
}
