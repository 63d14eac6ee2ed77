#pragma once

#include "base/exit_status.hh"
#include "domain/apply_risk.hh"
#include "domain/apply_rules.hh"
#include "domain/patch.hh"
#include "domain/patch_match.hh"
#include "wrap/json.hh"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// How a change is applied.
struct ApplyOptions
{
    std::string directory = "."; ///< root of the tree that is changed and never left
    PatchReading reading;
    ApplyRules rules;
    int fuzz = 2;                          ///< see patch_text()
    Risk risk_limit = Risk::High;          ///< above it nothing is written
    bool check = false;                    ///< only say what would happen
    std::optional<std::string> save_point; ///< new directory for roll_back()
};

/// A file of the change that can be made.
struct AppliedFile
{
    FileAction action = FileAction::Modify;
    std::string path;
    std::string source; ///< of a rename or copy
    LineCount lines;
    std::vector<HunkPlace> places;
};

/// A hunk that fits nowhere, or a file that cannot be what the change says of it; then
/// the header is empty.
struct RejectedHunk
{
    std::string path;
    HunkRejection hunk;
};

/// What the rules forbid; an empty path stands for the change as a whole.
struct RefusedPath
{
    std::string path;
    std::string why;
};

/// What became of a change.
struct ApplyReport
{
    bool applied = false;   ///< the tree has it now
    bool checked = false;   ///< it could be applied, and --check asked no more
    bool recovered = false; ///< an interrupted change was undone first
    PatchFormat format = PatchFormat::Auto;
    std::vector<AppliedFile> files;
    std::vector<RejectedHunk> rejected;
    std::vector<RefusedPath> refused;
    RiskVerdict risk;
    bool approval_needed = false; ///< the risk is above the limit

    /// NoPermission if something was refused, Failed if something was rejected,
    /// ApprovalNeeded above the limit, else Done.
    ExitStatus status() const noexcept;
};

/// Reads `text` and applies all of it or nothing. Whether it was and why not is in the
/// report; thrown are Error(BadData) for a text that is no change, Error(TryAgain) while
/// another process applies to the same tree, and system errors, after which the tree is
/// as it was.
ApplyReport apply_change(std::string_view text, const ApplyOptions &options);

/// Undoes what a killed apply_change() left half done in `directory`; true if there was
/// something.
bool recover_change(const std::string &directory);

/// Brings back what a save point holds, see roll_back() of tree_change.hh, under the
/// tree's lock and after recover_change().
std::vector<std::string> undo_change(const std::string &directory,
                                     const std::string &save_point, bool force);

/// The report as one JSON object.
Json apply_report_to_json(const ApplyReport &report);

/// The report for people and models: a line for each file, rejection and refusal, then
/// the risk.
std::string apply_report_to_text(const ApplyReport &report);

} // namespace ap
