#include "domain/apply.hh"

#include "base/error.hh"
#include "base/text.hh"
#include "domain/change_plan.hh"
#include "domain/tree_change.hh"
#include "sys/file_lock.hh"
#include "sys/tree.hh"

#include <algorithm>
#include <map>

namespace ap {

namespace {

std::string lock_name(const std::string &directory)
{
    return "'" + directory + "'";
}

RiskVerdict risk_of(const ChangePlan &plan)
{
    std::map<std::string, LineCount> lines;
    for (const AppliedFile &file : plan.files) {
        LineCount &count = lines[file.path];
        count.added += file.lines.added;
        count.removed += file.lines.removed;
    }
    std::vector<WeighedFile> files;
    for (const TreeChange &change : plan.changes) {
        files.push_back({&change, lines[change.path]});
    }
    return files.empty() ? RiskVerdict() : weigh_risk(files);
}

Json lines_to_json(const AppliedFile &file)
{
    Json hunks = Json::array();
    for (const HunkPlace &place : file.places) {
        Json json = Json::object();
        json.set("header", place.header)
            .set("line", place.line)
            .set("offset", place.offset)
            .set("match", match_level_name(place.level));
        hunks.append(json);
    }
    return hunks;
}

Json rejection_to_json(const RejectedHunk &rejected)
{
    const HunkRejection &hunk = rejected.hunk;
    Json json = Json::object();
    json.set("path", rejected.path)
        .set("input_line", hunk.line)
        .set("hunk", hunk.header)
        .set("why", hunk.why)
        .set("nearest_line", hunk.nearest);
    if (hunk.nearest) {
        json.set("expected", hunk.expected).set("found", hunk.found);
    }
    return json;
}

std::string rejection_text(const RejectedHunk &rejected)
{
    const HunkRejection &hunk = rejected.hunk;
    std::string text = printable(rejected.path) + ": rejected";
    if (!hunk.header.empty()) {
        text += " " + printable(hunk.header, 80);
    }
    text += " (input line " + std::to_string(hunk.line) + "): " + hunk.why;
    if (hunk.nearest) {
        text += "; nearest is line " + std::to_string(*hunk.nearest) + ": expected '" +
                printable(hunk.expected, 120) + "', found '" +
                printable(hunk.found, 120) + "'";
    }
    return text + "\n";
}

std::string place_text(const HunkPlace &place)
{
    std::string text;
    if (place.offset.value_or(0) != 0) {
        text += ", " + std::to_string(std::abs(*place.offset)) +
                (*place.offset > 0 ? " lines below" : " lines above");
    }
    if (place.level != MatchLevel::Exact) {
        text += ", tolerant: " + std::string(match_level_name(place.level));
    }
    return text.empty() ? text
                        : "  " + printable(place.header, 80) + " at line " +
                              std::to_string(place.line) + text + "\n";
}

std::string file_text(const AppliedFile &file)
{
    std::string text =
        printable(file.path) + ": " + std::string(file_action_name(file.action));
    if (!file.source.empty()) {
        text += " from " + printable(file.source);
    }
    text += ", +" + std::to_string(file.lines.added) + " -" +
            std::to_string(file.lines.removed) + "\n";
    for (const HunkPlace &place : file.places) {
        text += place_text(place);
    }
    return text;
}

} // namespace

ExitStatus ApplyReport::status() const noexcept
{
    if (!refused.empty()) {
        return ExitStatus::NoPermission;
    }
    if (!rejected.empty()) {
        return ExitStatus::Failed;
    }
    return approval_needed ? ExitStatus::ApprovalNeeded : ExitStatus::Done;
}

ApplyReport apply_change(std::string_view text, const ApplyOptions &options)
{
    const Patch patch = parse_patch(text, options.reading);
    const Tree tree(options.directory);
    const FileLock lock(options.directory, lock_name(options.directory));
    ApplyReport report;
    report.recovered = finish_change(tree);
    report.format = patch.format;
    ChangePlan plan = plan_change(tree, patch, options.rules, options.fuzz);
    report.risk = risk_of(plan);
    report.files = std::move(plan.files);
    report.rejected = std::move(plan.rejected);
    report.refused = std::move(plan.refused);
    report.approval_needed = report.risk.risk > options.risk_limit;
    if (report.status() != ExitStatus::Done) {
        return report;
    }
    if (options.check) {
        report.checked = true;
        return report;
    }
    write_change(tree, plan.changes, options.save_point);
    report.applied = true;
    return report;
}

bool recover_change(const std::string &directory)
{
    const Tree tree(directory);
    const FileLock lock(directory, lock_name(directory));
    return finish_change(tree);
}

std::vector<std::string> undo_change(const std::string &directory,
                                     const std::string &save_point, bool force)
{
    const Tree tree(directory);
    const FileLock lock(directory, lock_name(directory));
    finish_change(tree);
    return roll_back(tree, save_point, force);
}

Json apply_report_to_json(const ApplyReport &report)
{
    Json files = Json::array();
    for (const AppliedFile &file : report.files) {
        Json json = Json::object();
        json.set("path", file.path).set("action", file_action_name(file.action));
        if (!file.source.empty()) {
            json.set("source", file.source);
        }
        json.set("added", file.lines.added)
            .set("removed", file.lines.removed)
            .set("hunks", lines_to_json(file));
        files.append(json);
    }
    Json rejected = Json::array();
    for (const RejectedHunk &hunk : report.rejected) {
        rejected.append(rejection_to_json(hunk));
    }
    Json refused = Json::array();
    for (const RefusedPath &path : report.refused) {
        Json json = Json::object();
        refused.append(json.set("path", path.path).set("why", path.why));
    }
    Json reasons = Json::array();
    for (const std::string &reason : report.risk.reasons) {
        reasons.append(Json::string(reason));
    }
    Json json = Json::object();
    return json.set("applied", report.applied)
        .set("checked", report.checked)
        .set("recovered", report.recovered)
        .set("format", patch_format_name(report.format))
        .set("risk", risk_name(report.risk.risk))
        .set("risk_reasons", reasons)
        .set("approval_needed", report.approval_needed)
        .set("files", files)
        .set("rejected", rejected)
        .set("refused", refused);
}

std::string apply_report_to_text(const ApplyReport &report)
{
    std::string text;
    for (const AppliedFile &file : report.files) {
        text += file_text(file);
    }
    for (const RejectedHunk &rejected : report.rejected) {
        text += rejection_text(rejected);
    }
    for (const RefusedPath &refused : report.refused) {
        text += (refused.path.empty() ? "the change" : printable(refused.path)) +
                ": refused: " + refused.why + "\n";
    }
    text += "risk: " + std::string(risk_name(report.risk.risk));
    for (size_t i = 0; i < report.risk.reasons.size(); i++) {
        text += (i == 0 ? ": " : ", ") + report.risk.reasons[i];
    }
    text += report.approval_needed ? "; an approval is needed\n" : "\n";
    return text;
}

} // namespace ap
