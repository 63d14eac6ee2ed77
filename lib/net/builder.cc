#include "net/builder.hh"

#include "base/text.hh"
#include "domain/approval.hh"
#include "domain/approval_notice.hh"
#include "domain/budget.hh"
#include "domain/learned_rules.hh"
#include "domain/worktree.hh"
#include "sys/path.hh"

namespace ap {

namespace {

constexpr size_t largest_file = size_t{64} << 20;
constexpr size_t longest_summary = 900;

BuilderResult result_of(ExitStatus status, PhaseNext next, const std::string &reason,
                        std::optional<UnixMs> until = std::nullopt)
{
    return {status, {next, printable(reason, longest_summary), until}};
}

} // namespace

PhaseSpec stored_phase(Sqlite &database, std::string_view run_id,
                       std::string_view phase_id)
{
    Statement row =
        database.prepare("SELECT spec FROM phases WHERE run_id = ?1 AND phase_id = ?2");
    row.bind_all(run_id, phase_id);
    if (!row.step()) {
        throw Error(ExitStatus::NoInput, "run '" + std::string(run_id) +
                                             "' has no phase '" + std::string(phase_id) +
                                             "'");
    }
    return phase_spec_from_json(row.text(0));
}

std::string phase_work_directory(const StatePaths &paths, const PhaseSpec &phase)
{
    return phase.cwd.empty() ? paths.directory : join_path(paths.directory, phase.cwd);
}

Builder::Builder(State &state, Questioner &questioner, const ModelTable &models,
                 BuilderOptions options, const Clock &clock)
    : state_(state)
    , database_(state.database())
    , questioner_(questioner)
    , models_(models)
    , options_(std::move(options))
    , clock_(clock)
    , phase_(stored_phase(database_, options_.run_id, options_.phase_id))
    , repository_(phase_work_directory(state.paths(), phase_))
    , branch_(repository_, options_.run_id)
{
    if (!phase_.build) {
        throw Error(ExitStatus::BadData, "phase '" + phase_.id + "' has no goal");
    }
}

std::string Builder::build_directory(int64_t number) const
{
    return join_path(state_.paths().run_directory(options_.run_id),
                     "phases/" + phase_.id + "/build-" + std::to_string(number));
}

std::string Builder::file(const std::string &name) const
{
    return join_path(directory_, name);
}

Json Builder::kept(const std::string &name) const
{
    const std::string path = file(name);
    return path_exists(path) ? Json::parse(read_file(path, largest_file), path) : Json();
}

void Builder::keep(const std::string &name, const Json &json) const
{
    write_file_atomically(file(name), json.dump_pretty(), 0600);
}

ModelChoice Builder::builder_model(int64_t level) const
{
    const BuildSpec &build = *phase_.build;
    ModelChoice choice =
        models_.choose(ModelRole::Builder, build.category, build.complexity, level);
    if (!build.builder_model.empty()) {
        choice.model = build.builder_model;
        choice.strongest = true;
    }
    return choice;
}

int64_t Builder::tokens_of_phase()
{
    int64_t tokens = build_.tokens;
    for (const Build &build :
         list_builds(database_, options_.run_id, options_.phase_id)) {
        tokens += build.number == build_.number ? 0 : build.tokens;
    }
    return tokens;
}

void Builder::say(const std::string &step) const
{
    if (options_.tell) {
        options_.tell("build " + std::to_string(build_.number) + ": " +
                      printable(step, longest_summary));
    }
}

void Builder::reach(BuildStage stage)
{
    build_.stage = stage;
    note_build(database_, build_);
}

BuilderResult Builder::run()
{
    if (auto ended = take_up()) {
        return *ended;
    }
    prepare_tree();
    before_ = baseline(base_);
    try {
        const ModelAnswer answered = answer();
        const Change change = apply(answered);
        const BuildChecks checks = check(change, before_, "check.json");
        const Audit judged = audit(change, checks);
        if (auto ended = pass(change, checks, judged)) {
            return *ended;
        }
        commit(change);
    } catch (const Failed &failed) {
        return fail(failed);
    }
    conclude();
    return result_of(ExitStatus::Done, PhaseNext::Retry,
                     "committed " + build_.commit_id.substr(0, 12) + " to " +
                         branch_.name());
}

// Finds the build to go on with, or opens the next; a result if there is nothing to
// build.
std::optional<BuilderResult> Builder::take_up()
{
    std::vector<Build> builds =
        list_builds(database_, options_.run_id, options_.phase_id);
    if (!builds.empty() && builds.back().status == "COMMITTED") {
        return result_of(ExitStatus::Done, PhaseNext::Retry, "was committed before");
    }
    int64_t level = 0;
    if (!builds.empty() && !builds.back().open()) {
        if (auto ended = decide(builds.back(), false)) {
            return ended;
        }
        level = next_build(
                    builds, show_budget(database_, options_.run_id, phase_.id).token_cap,
                    builder_model(builds.back().level).strongest, phase_.build->on_stuck)
                    .level;
    }
    if (builds.empty() || !builds.back().open()) {
        Transaction transaction(database_);
        build_ = open_build(database_, options_.run_id, phase_.id, level,
                            builder_model(level).model, clock_);
        // What a run of the same name, since deleted, has left there.
        remove_tree(build_directory(build_.number));
        transaction.commit();
    } else {
        build_ = builds.back();
    }
    directory_ = build_directory(build_.number);
    tree_ = file("tree");
    make_directories(directory_, 0700);
    remove_left_temporaries(directory_);
    return std::nullopt;
}

BuilderResult Builder::fail(const Failed &failed)
{
    build_.failure = failed.failure;
    write_file_atomically(file("evidence.txt"), failed.evidence, 0600);
    end_build(database_, build_, "FAILED", clock_);
    run_git(repository_, {"worktree", "remove", "--force", "--force", "--", tree_});
    if (auto ended = decide(build_, true)) {
        return *ended;
    }
    return result_of(ExitStatus::Failed, PhaseNext::Retry, failed.failure.reason);
}

// What comes after the failed build `last`; nothing if it is the next build.
std::optional<BuilderResult> Builder::decide(Build &last, bool has_just_failed)
{
    const int64_t cap = show_budget(database_, options_.run_id, phase_.id).token_cap;
    const NextBuild next =
        next_build(list_builds(database_, options_.run_id, options_.phase_id), cap,
                   builder_model(last.level).strongest, phase_.build->on_stuck);
    if (next.step == NextBuild::Step::Build &&
        (next.level == last.level || !has_just_failed)) {
        return std::nullopt;
    }
    constexpr const char *kinds[] = {"build.escalated", "build.stuck", "build.stuck",
                                     "build.stuck"};
    constexpr const char *steps[] = {"escalate", "review", "skip", "fail"};
    const auto step = static_cast<size_t>(next.step);
    const Json detail = Json::object()
                            .set("number", last.number)
                            .set("decision", steps[step])
                            .set("level", next.level)
                            .set("reason", next.reason);
    append_event(database_, kinds[step], options_.run_id, phase_.id, options_.attempt,
                 detail.dump());
    switch (next.step) {
    case NextBuild::Step::Build:
        return std::nullopt;
    case NextBuild::Step::Review:
        return ask_person(
            last, "stuck",
            "go on with phase " + phase_.id + ", which is stuck: " + next.reason, "", "");
    case NextBuild::Step::Skip:
        return result_of(ExitStatus::Failed, PhaseNext::Skip, "stuck: " + next.reason);
    case NextBuild::Step::Fail:
        break;
    }
    return result_of(ExitStatus::Failed, PhaseNext::Fail, "stuck: " + next.reason);
}

// Asks, unless that was done; nothing if the answer is yes.
std::optional<BuilderResult> Builder::ask_person(Build &build, const std::string &kind,
                                                 const std::string &summary,
                                                 const std::string &detail,
                                                 const std::string &risk)
{
    if (!build.approval_id) {
        ApprovalRequest request;
        request.run_id = options_.run_id;
        request.phase_id = phase_.id;
        request.kind = kind;
        request.risk = risk;
        request.summary = printable(summary, longest_summary);
        request.detail = detail.substr(0, ApprovalRequest::longest_detail);
        request.timeout = phase_.build->approval_timeout;
        request.guards_phase = true;
        Transaction transaction(database_);
        build.approval_id = request_approval(database_, request, clock_);
        note_build_approval(database_, build);
        transaction.commit();
    }
    const Approval approval = settle_approval(database_, *build.approval_id, clock_);
    if (approval.pending() && !approval.notified_at) {
        static_cast<void>(notify_of_approval(state_, approval.approval_id, clock_));
    }
    const std::string name = "approval " + std::to_string(approval.approval_id);
    if (approval.granted()) {
        return std::nullopt;
    }
    if (approval.pending()) {
        return result_of(ExitStatus::ApprovalNeeded, PhaseNext::Wait, "waits for " + name,
                         approval.expires_at);
    }
    return result_of(ExitStatus::Failed, PhaseNext::Fail, approval_refusal(approval));
}

void Builder::conclude()
{
    std::vector<Build> builds =
        list_builds(database_, options_.run_id, options_.phase_id);
    const std::string files =
        run_git(branch_.top(),
                {"diff-tree", "--no-commit-id", "--name-only", "-r", build_.commit_id});
    std::string fix = "commit " + build_.commit_id.substr(0, 12) + " (";
    for (const std::string_view name : split(trim(files), '\n')) {
        fix += (fix.ends_with('(') ? "" : ", ") + std::string(name);
    }
    LearnedRules(state_.paths().directory).learn(database_, builds, fix + ")");
    build_.stage = BuildStage::Committed;
    end_build(database_, build_, "COMMITTED", clock_);
    run_git(repository_, {"worktree", "remove", "--force", "--force", "--", tree_});
}

BuilderResult merge_builds(State &state, const std::string &run_id,
                           const PhaseSpec &phase)
{
    BuildBranch branch(phase_work_directory(state.paths(), phase), run_id);
    const std::string message = commit_message("Merge branch '" + branch.name() + "'",
                                               {{"Autopack-Run", run_id}});
    try {
        return result_of(ExitStatus::Done, PhaseNext::Retry,
                         branch.merge(*phase.merge, message));
    } catch (const Error &error) {
        if (error.status() != ExitStatus::Failed) {
            throw;
        }
        return result_of(ExitStatus::Failed, PhaseNext::Fail, error.what());
    }
}

} // namespace ap
