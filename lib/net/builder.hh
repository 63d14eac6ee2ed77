#pragma once

#include "domain/audit.hh"
#include "domain/build_branch.hh"
#include "domain/build_checks.hh"
#include "domain/build_verdict.hh"
#include "domain/builds.hh"
#include "domain/model_table.hh"
#include "domain/stuck.hh"
#include "net/model_answer.hh"

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ap {

/// What ap-build works on.
struct BuilderOptions
{
    std::string run_id;
    std::string phase_id;
    int64_t attempt = 0; ///< of the phase
    /// Gets a line when a step begins and when it ends, without the newline; may be
    /// empty.
    std::function<void(const std::string &)> tell{};
};

/// How it ended, for people, for the executor and as an exit status.
struct BuilderResult
{
    ExitStatus status = ExitStatus::Done;
    BuildVerdict verdict; ///< with Done: only its reason, which says what was done
};

/// Reaches a phase's goal, one build each time: has a model write a change, applies it in
/// a worktree of its own, has it checked and audited, and commits it to the run's branch
/// if the gate lets it pass.
///
/// What each step came to is a file in `build-N` of the phase's directory, written
/// atomically when the step is done. A process that was killed is followed by one that
/// takes the build up behind the last of them: it pays for no answer twice and commits
/// nothing twice.
class Builder
{
public:
    Builder(State &state, Questioner &questioner, const ModelTable &models,
            BuilderOptions options, const Clock &clock);

    /// One build, or what is left of it. Throws what keeps it from going on and is not
    /// the change's fault (no budget, no provider); the build then stays open.
    BuilderResult run();

private:
    /// A build that has failed, and all there is to tell the next.
    struct Failed : std::exception
    {
        Failed(BuildFailure why, std::string all)
            : failure(std::move(why))
            , evidence(std::move(all))
        {
        }
        const char *what() const noexcept override { return failure.reason.c_str(); }

        BuildFailure failure;
        std::string evidence;
    };
    /// The change as it stands in the worktree.
    struct Change
    {
        std::string tree;
        std::string diff;
        std::string risk;
        std::vector<std::string> risk_reasons;
    };

    std::optional<BuilderResult> take_up();
    BuilderResult fail(const Failed &failed);
    std::optional<BuilderResult> decide(Build &last, bool has_just_failed);
    std::optional<BuilderResult> ask_person(Build &build, const std::string &kind,
                                            const std::string &summary,
                                            const std::string &detail,
                                            const std::string &risk);

    void prepare_tree();
    void make_tree();
    std::string context();
    std::string prompt();
    ModelAnswer answer();
    Change apply(const ModelAnswer &answer);
    BuildChecks baseline(const std::string &commit);
    BuildChecks check(const Change &change, const BuildChecks &before,
                      const std::string &name);
    Audit audit(const Change &change, const BuildChecks &checks);
    std::optional<BuilderResult> pass(const Change &change, const BuildChecks &checks,
                                      const Audit &audit);
    void commit(const Change &change);
    void conclude();

    ModelChoice builder_model(int64_t level) const;
    std::string file(const std::string &name) const;
    Json kept(const std::string &name) const;
    void keep(const std::string &name, const Json &json) const;
    std::string build_directory(int64_t number) const;
    void say(const std::string &step) const;
    BuildChecks run_checks_on(const std::string &tree, const std::string &name,
                              const std::optional<CheckBaseline> &before);
    void reach(BuildStage stage);
    int64_t tokens_of_phase();

    State &state_;
    Sqlite &database_;
    Questioner &questioner_;
    const ModelTable &models_;
    BuilderOptions options_;
    const Clock &clock_;
    PhaseSpec phase_;
    std::string repository_; ///< the phase's working directory
    BuildBranch branch_;
    Build build_;
    std::string directory_; ///< of the build's files
    std::string tree_;      ///< the worktree
    std::string base_;      ///< the commit it starts from
    BuildChecks before_;    ///< what the checks say of that
};

/// The phase as the run's plan has it. Throws Error(NoInput) if it is not there.
PhaseSpec stored_phase(Sqlite &database, std::string_view run_id,
                       std::string_view phase_id);

/// The directory that the phase works in, absolute.
std::string phase_work_directory(const StatePaths &paths, const PhaseSpec &phase);

/// Merges what the run built in the phase's repository, as the phase says.
BuilderResult merge_builds(State &state, const std::string &run_id,
                           const PhaseSpec &phase);

} // namespace ap
