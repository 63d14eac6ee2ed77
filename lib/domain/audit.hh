#pragma once

#include "wrap/json.hh"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// What an auditor thinks of a change, from good to bad.
enum class AuditVerdict { Approve, Minor, Major };

/// "approve", "minor" or "major".
std::string_view audit_verdict_name(AuditVerdict verdict);

struct AuditIssue
{
    AuditVerdict severity = AuditVerdict::Minor; ///< Minor or Major
    std::string file;                            ///< empty: the change as a whole
    std::optional<int64_t> line;
    std::string text;
};

struct Audit
{
    AuditVerdict verdict = AuditVerdict::Major;
    std::vector<AuditIssue> issues;
    bool malformed = false; ///< the auditor gave no judgement that can be read
};

/// What a change is judged by.
struct AuditMatter
{
    std::string goal;
    std::vector<std::string> acceptance;
    std::string diff;     ///< unified
    std::string evidence; ///< what the checks said; may be empty
};

/// What an auditor is told to do, and the matter: the change and the evidence in blocks
/// that they cannot end.
extern const std::string_view audit_instructions;
std::string audit_prompt(const AuditMatter &matter);

/// Reads an auditor's answer: {"verdict": "approve", "issues": [{"severity": "minor",
/// "file": "a.c", "line": 3, "text": "..."}]}, whatever is around it. A verdict milder
/// than the worst issue counts as that. Nothing, and `why`, if it is malformed.
std::optional<Audit> read_audit(std::string_view answer, std::string &why);

/// What an auditor is told whose answer was malformed.
std::string audit_repair(std::string_view why);

/// The audit that stands for none that can be read: major.
Audit malformed_audit(std::string_view why);

/// The audit as read_audit() takes it, with `malformed`.
Json audit_to_json(const Audit &audit);

/// A line for each issue, for people and for the builder.
std::string audit_to_text(const Audit &audit);

/// What the audits of one phase have used: a file with a JSON line for each call, in the
/// phase's directory.
class AuditAccount
{
public:
    AuditAccount(std::string path, int64_t cap)
        : path_(std::move(path))
        , cap_(cap)
    {
    }

    /// Tokens left of the cap; 0 or more. Throws Error(BadData) if the file is not what
    /// add() wrote, but for a last line that was cut off.
    int64_t left() const;

    /// Adds a call.
    void add(int64_t tokens, std::string_view model) const;

    int64_t cap() const noexcept { return cap_; }

private:
    std::string path_;
    int64_t cap_;
};

} // namespace ap
