#pragma once

#include "domain/builds.hh"

#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// Rules that were learned from failures that several phases had, in a Markdown file that
/// people read and edit: one list item a rule,
///
///     - [CLASS KEY] What to do. Seen in: RUN/PHASE, RUN/PHASE. Fixed by: ...
///
/// A rule is written once for a class and key, told by the brackets; one that a person
/// changed stays as it is, and one whose text they emptied is not learned again.
class LearnedRules
{
public:
    /// The file `docs/LEARNED_RULES.md` below `directory`; it need not be there.
    explicit LearnedRules(std::string_view directory);

    /// The rules as the builder is shown them; empty if there are none.
    std::string text() const;

    /// Learns from a phase that succeeded after failed builds: of each way to fail that
    /// at least two phases had, a rule is appended unless there is one. What fixed it is
    /// told by `fix`, one line. Returns how many were added.
    int learn(Sqlite &database, const std::vector<Build> &builds, std::string_view fix);

    const std::string &path() const noexcept { return path_; }

private:
    std::string path_;
};

} // namespace ap
