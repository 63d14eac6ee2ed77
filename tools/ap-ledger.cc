#include "base/text.hh"
#include "cli/listing.hh"
#include "cli/tool.hh"
#include "domain/ledger.hh"
#include "domain/ledger_merge.hh"
#include "sys/path.hh"
#include "wrap/json.hh"

namespace {

using ap::ExitStatus;

constexpr ap::Option options[] = {
    {'t', "title", "TITLE", "add: the entry's title, one line (required)"},
    {'r', "run", "RUN", "add: the run it is about; list: only entries about it"},
    {'p', "phase", "PHASE", "add: the phase of that run"},
    {'n', "limit", "N", "list: the newest N (default: 50)"},
    {'a', "accept", "", "tidy: what was edited or removed by hand stays so"},
    {'v', "verbose", "", "say what was done"},
    {0, "json", "", "print JSON"},
    {0, "db", "PATH", "database (default: AUTOPACK_DB or autopack.db)"},
};

constexpr ap::Verb verbs[] = {
    {"add", "DOCUMENT [FILE]", "append an entry; its body is FILE or standard input", 1,
     2},
    {"list", "[DOCUMENT]", "print the newest entries", 0, 1},
    {"verify", "[DOCUMENT]", "name the first entry that is not as recorded", 0, 1},
    {"tidy", "", "resolve, adopt, sort, and make index and chain anew", 0, 0},
    {"merge", "BASE OURS THEIRS", "merge two versions into OURS, for git", 3, 3},
};

constexpr ap::ToolSpec spec = {.name = "ap-ledger",
                               .summary =
                                   "keep the build history, debug log and decisions",
                               .options = options,
                               .verbs = verbs};

constexpr size_t longest_body = size_t{1} << 20;
constexpr size_t longest_title = 200;
constexpr size_t largest_document = size_t{64} << 20;

std::string title_of(const ap::Arguments &arguments)
{
    std::string title(ap::trim(arguments.value("title").value_or("")));
    if (title.empty() || title.size() > longest_title ||
        title.find_first_of("\n\r\t") != std::string::npos) {
        throw ap::UsageError("--title: expected one line of 1 to 200 bytes, got '" +
                             ap::printable(title) + "'");
    }
    return title;
}

std::string identifier_of(const ap::Arguments &arguments, std::string_view option)
{
    const auto value = arguments.value(option);
    if (value && !ap::is_identifier(*value)) {
        throw ap::UsageError("--" + std::string(option) + ": expected a name, got '" +
                             ap::printable(*value) + "'");
    }
    return value.value_or("");
}

ExitStatus add(const ap::Arguments &arguments, ap::State &state)
{
    const ap::LedgerDocument &document = ap::ledger_document(arguments.operand(0));
    ap::LedgerEntry entry;
    entry.at = ap::SystemClock().now();
    entry.title = title_of(arguments);
    entry.run = identifier_of(arguments, "run");
    entry.phase = identifier_of(arguments, "phase");
    if (entry.run.empty() && !entry.phase.empty()) {
        throw ap::UsageError("--phase needs --run");
    }
    const std::string file = arguments.operand(1);
    entry.body = ap::quoted_body(ap::read_file(file.empty() ? "-" : file, longest_body));
    const std::string id = ap::record_entry(state.database(), document, entry);
    ap::settle_ledger(state);
    ap::print(arguments.has("json") ? ap::Json::object().set("id", id).dump() + "\n"
                                    : id + "\n");
    return ExitStatus::Done;
}

ExitStatus list(const ap::Arguments &arguments, ap::State &state)
{
    constexpr int64_t most = 1'000'000'000;
    ap::settle_ledger(state);
    ap::LedgerFilter filter;
    if (!arguments.operand(0).empty()) {
        filter.document = ap::ledger_document(arguments.operand(0)).name;
    }
    filter.run = arguments.value("run");
    filter.limit = arguments.integer("limit", 1, most).value_or(filter.limit);
    ap::Listing listing(arguments.has("json"), {"WHEN", "DOCUMENT", "ENTRY", "TITLE"});
    for (const ap::LedgerRecord &record : ap::list_ledger(state.database(), filter)) {
        const auto or_null = [](const std::string &text) {
            return text.empty() ? std::nullopt : std::optional(text);
        };
        listing.add(ap::Json::object()
                        .set("id", record.id)
                        .set("document", record.document)
                        .set("created_at", ap::format_rfc3339(record.at))
                        .set("run_id", or_null(record.run))
                        .set("phase_id", or_null(record.phase))
                        .set("title", record.title)
                        .set("hash", record.hash)
                        .set("text", record.content)
                        .dump(),
                    {ap::format_local(record.at), record.document, record.id,
                     ap::printable(record.title, 60)});
    }
    listing.finish();
    return ExitStatus::Done;
}

ExitStatus verify(const ap::Arguments &arguments, ap::State &state)
{
    const std::string wanted = arguments.operand(0);
    if (!wanted.empty()) {
        static_cast<void>(ap::ledger_document(wanted));
    }
    ExitStatus status = ExitStatus::Done;
    for (const ap::LedgerDocument &document : ap::ledger_documents) {
        if (!wanted.empty() && wanted != document.name) {
            continue;
        }
        const auto broken = ap::verify_ledger(state, document);
        if (!broken) {
            continue;
        }
        status = ExitStatus::Failed;
        ap::print(arguments.has("json") ? ap::Json::object()
                                                  .set("document", document.name)
                                                  .set("file", broken->path)
                                                  .set("line", broken->line)
                                                  .set("entry", broken->entry)
                                                  .set("reason", broken->reason)
                                                  .dump() +
                                              "\n"
                                        : ap::break_text(*broken) + "\n");
    }
    return status;
}

ExitStatus tidy(const ap::Arguments &arguments, ap::State &state)
{
    for (const ap::LedgerTidied &result :
         ap::tidy_ledger(state, arguments.has("accept"))) {
        if (arguments.has("json")) {
            ap::print(ap::tidied_to_json(result).dump() + "\n");
        } else if (arguments.has("verbose")) {
            ap::print(ap::tidied_text(result) + "\n");
        }
    }
    return ExitStatus::Done;
}

ExitStatus merge(const ap::Arguments &arguments)
{
    const auto read = [&](size_t index) {
        return ap::read_file(arguments.operand(index), largest_document);
    };
    const ap::LedgerMerge merged = ap::merge_ledgers(read(0), read(1), read(2));
    ap::write_file_atomically(arguments.operand(1), merged.text);
    for (const std::string &what : merged.conflicts) {
        ap::warn(what == "head" ? "both sides changed what stands before the entries"
                                : "entry " + what + " differs between the two sides");
    }
    return merged.conflicts.empty() ? ExitStatus::Done : ExitStatus::Failed;
}

ExitStatus keep(const ap::Arguments &arguments)
{
    const std::string_view verb = arguments.verb();
    if (verb == "merge") {
        return merge(arguments);
    }
    ap::State state(ap::state_paths(arguments.value("db")), ap::State::Access::Write,
                    spec.name);
    return verb == "add"      ? add(arguments, state)
           : verb == "list"   ? list(arguments, state)
           : verb == "verify" ? verify(arguments, state)
                              : tidy(arguments, state);
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, keep);
}
