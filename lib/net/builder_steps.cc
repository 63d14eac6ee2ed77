#include "net/builder.hh"

#include "base/text.hh"
#include "domain/apply.hh"
#include "domain/approval.hh"
#include "domain/build_prompt.hh"
#include "domain/context.hh"
#include "domain/learned_rules.hh"
#include "domain/plan_reader.hh"
#include "domain/quality_gate.hh"
#include "domain/worktree.hh"
#include "net/auditor.hh"
#include "sys/path.hh"
#include "wrap/sha256.hh"

#include <algorithm>
#include <cctype>

namespace ap {

namespace {

constexpr size_t largest_file = size_t{64} << 20;
constexpr size_t longest_evidence = 12'000;
constexpr int most_rebases = 5;

std::vector<std::string> strings_of(const Json &json)
{
    std::vector<std::string> items;
    for (size_t i = 0; i < json.size(); i++) {
        items.push_back(json.at(i).is_string() ? json.at(i).as_string() : "");
    }
    return items;
}

// The same for the same failure, whatever times and addresses are in its words.
std::string signature_of(std::string_view failure_class, std::string_view words)
{
    std::string text(failure_class);
    for (const char c : words) {
        if (std::isdigit(static_cast<unsigned char>(c)) == 0) {
            text += c;
        }
    }
    return to_hex(sha256(text)).substr(0, 16);
}

BuildFailure failure_of(const std::string &failure_class, const std::string &key,
                        std::string_view words, const std::string &reason)
{
    return {failure_class, key, signature_of(failure_class, words),
            printable(reason, 300)};
}

std::string first_line(std::string_view text)
{
    return std::string(text.substr(0, text.find('\n')));
}

} // namespace

// A worktree of this build alone, new each time: whatever a process that was killed has
// left half done in it is gone.
void Builder::prepare_tree()
{
    branch_.clear_lock();
    Json base = kept("base.json");
    if (!base) {
        base = Json::object().set("commit", branch_.tip());
        keep("base.json", base);
    }
    base_ = base.get_string("commit").value_or("");
    make_tree();
}

void Builder::make_tree()
{
    remove_tree(tree_);
    run_git(repository_, {"worktree", "prune"});
    Worktree::add(repository_, tree_, "", base_).keep();
}

// What the builder sees of the repository. That is in the prompt; a file tells people why
// the rest is not.
std::string Builder::context()
{
    const BuildSpec &build = *phase_.build;
    ContextRequest request;
    request.directory = tree_;
    request.goal = build.goal;
    request.scope = build.scope.empty() ? std::vector<std::string>{"**"} : build.scope;
    request.read = build.read_only;
    request.rules = LearnedRules(state_.paths().directory).text();
    request.budget =
        build.context_tokens.value_or(builder_model(build_.level).context_tokens);
    const Context chosen = choose_context(request);
    Json why = context_to_json(chosen);
    keep("context.json", why.set("text", Json::null()));
    return chosen.text;
}

std::string Builder::prompt()
{
    const std::string path = file("prompt.md");
    if (path_exists(path)) {
        return read_file(path, largest_file);
    }
    const BuildSpec &build = *phase_.build;
    BuildMatter matter;
    matter.goal = build.goal;
    matter.scope = build.scope;
    matter.acceptance = build.acceptance;
    matter.context = context();
    const std::string evidence =
        join_path(build_directory(build_.number - 1), "evidence.txt");
    if (build_.number > 1 && path_exists(evidence)) {
        matter.evidence = read_file(evidence, largest_file).substr(0, longest_evidence);
    }
    if (!before_.passed) {
        matter.checks = before_.text;
        matter.may_go_on_failing = build.known_failures == KnownFailures::Accept;
    }
    std::string text = builder_prompt(matter);
    write_file_atomically(path, text, 0600);
    return text;
}

ModelAnswer Builder::answer()
{
    const ModelChoice choice = builder_model(build_.level);
    AnswerOrder order{.prompt = {}, .kept_in = directory_};
    order.prompt.model = choice.model;
    order.prompt.max_tokens = choice.max_output;
    order.prompt.system = builder_instructions;
    order.prompt.text = prompt();
    order.tell = [this](const std::string &trouble) { say(trouble); };
    say("asking " + choice.model + " for a change");
    ModelAnswer answered = ask_model(questioner_, order);
    say(answered.model + " answered, of " + std::to_string(answered.tokens) + " tokens");
    build_.tokens = answered.tokens;
    build_.model = answered.model;
    write_file_atomically(file("answer"), answered.text, 0600);
    if (answered.truncated) {
        throw Failed{failure_of("no-answer", "", "",
                                "the answer did not end after " +
                                    std::to_string(answered.pieces) + " pieces"),
                     "The answer was too long and did not come to its end.\n"};
    }
    reach(BuildStage::Answered);
    return answered;
}

Builder::Change Builder::apply(const ModelAnswer &answer)
{
    const std::string base_tree = base_ + "^{tree}";
    const auto change_of = [&](const Json &json) {
        Change change;
        change.tree = json.get_string("tree").value_or("");
        change.risk = json.get_string("risk").value_or("high");
        change.risk_reasons = strings_of(json.get("risk_reasons"));
        change.diff = tree_diff(branch_.top(), base_tree, change.tree);
        return change;
    };
    if (const Json done = kept("apply.json")) {
        return change_of(done);
    }
    ApplyOptions options;
    options.directory = tree_;
    options.rules.scope = phase_.build->scope;
    options.rules.protect = phase_.build->read_only;
    ApplyReport report;
    try {
        report = apply_change(answer.text, options);
    } catch (const Error &error) {
        if (error.status() != ExitStatus::BadData) {
            throw;
        }
        throw Failed{failure_of("malformed", "", error.what(),
                                std::string("the answer is no change: ") + error.what()),
                     std::string("Your answer cannot be read as a change: ") +
                         error.what() + "\n"};
    }
    const std::string said = apply_report_to_text(report);
    if (!report.refused.empty()) {
        const RefusedPath &first = report.refused.front();
        throw Failed{
            failure_of("out-of-scope", "", said, "'" + first.path + "' " + first.why),
            said};
    }
    if (!report.rejected.empty()) {
        throw Failed{failure_of("rejected", "", said,
                                "a part of the change does not fit '" +
                                    report.rejected.front().path + "'"),
                     said + "Your answer was:\n" + answer.text};
    }
    const std::string tree = snapshot_tree(tree_);
    if (tree == trim(run_git(tree_, {"rev-parse", base_tree}))) {
        throw Failed{failure_of("no-change", "", "", "the answer changes nothing"),
                     "Your answer changes nothing.\n"};
    }
    const Json json = Json::object()
                          .set("tree", tree)
                          .set("risk", risk_name(report.risk.risk))
                          .set("risk_reasons", strings_to_json(report.risk.reasons))
                          .set("report", apply_report_to_json(report));
    keep("apply.json", json);
    say("applied a change of risk " + std::string(risk_name(report.risk.risk)));
    reach(BuildStage::Applied);
    return change_of(json);
}

BuildChecks Builder::run_checks_on(const std::string &tree, const std::string &name,
                                   const std::optional<CheckBaseline> &before)
{
    check_out_tree(tree_, tree);
    BuildCheckOrder order = build_check_order(phase_, questioner_.key_variables());
    const std::string prefix(trim(run_git(repository_, {"rev-parse", "--show-prefix"})));
    order.options.directory = prefix.empty() ? tree_ : join_path(tree_, prefix);
    say("checking " + name);
    BuildChecks checks = run_build_checks(order, before);
    say("checks of " + name + (checks.passed ? " passed" : " failed: " + checks.reason));
    return checks;
}

// What the checks say of a commit without the change: once, whoever of this build or the
// one before comes to it first.
BuildChecks Builder::baseline(const std::string &commit)
{
    if (phase_.checks.empty()) {
        return {};
    }
    const std::string name = "baseline-" + commit + ".json";
    const std::string earlier = join_path(build_directory(build_.number - 1), name);
    if (!path_exists(file(name)) && build_.number > 1 && path_exists(earlier)) {
        write_file_atomically(file(name), read_file(earlier, largest_file), 0600);
    }
    if (const Json done = kept(name)) {
        return build_checks_from_json(done, file(name));
    }
    BuildChecks checks =
        run_checks_on(commit + "^{tree}", "commit " + commit.substr(0, 12), std::nullopt);
    keep(name, build_checks_to_json(checks));
    // Nothing that they have left there may become a part of the change.
    make_tree();
    return checks;
}

BuildChecks Builder::check(const Change &change, const BuildChecks &before,
                           const std::string &name)
{
    const Json done = kept(name);
    BuildChecks checks;
    if (done) {
        checks = build_checks_from_json(done, file(name));
    } else if (!phase_.checks.empty()) {
        checks = run_checks_on(change.tree, "the change", before.outcome);
        keep(name, build_checks_to_json(checks));
    }
    if (!checks.passed) {
        throw Failed{failure_of("check", checks.check, checks.signature, checks.reason),
                     "Your change was:\n" + change.diff + "\nWith it:\n" + checks.text};
    }
    reach(BuildStage::Checked);
    return checks;
}

Audit Builder::audit(const Change &change, const BuildChecks &checks)
{
    std::string why;
    Json done = kept("audit.json");
    if (!done) {
        const BuildSpec &build = *phase_.build;
        AuditOrder order;
        order.matter = {build.goal, build.acceptance, change.diff, checks.text};
        order.model =
            models_.choose(ModelRole::Auditor, build.category, build.complexity, 0);
        order.kept_in = directory_;
        if (!build.auditor_model.empty()) {
            order.model.model = build.auditor_model;
        }
        const AuditAccount account =
            audit_account(state_.paths(), options_.run_id, phase_.id);
        order.tell = [this](const std::string &trouble) { say(trouble); };
        say("asking " + order.model.model + " for an audit");
        const AuditResult result = make_audit(questioner_, order, &account);
        say("the auditor says " + std::string(audit_verdict_name(result.audit.verdict)));
        done = audit_to_json(result.audit);
        done.set("model", result.model).set("tokens", result.tokens);
        keep("audit.json", done);
    }
    build_.tokens += done.get_integer("tokens").value_or(0);
    const auto judged = read_audit(done.dump(), why);
    if (!judged) {
        throw Error(ExitStatus::BadData, "'" + file("audit.json") + "': " + why);
    }
    const std::string said = audit_to_text(*judged);
    if (judged->verdict == AuditVerdict::Major) {
        throw Failed{failure_of("audit", "", said, "the auditor: " + first_line(said)),
                     "Your change was:\n" + change.diff +
                         "\nIt passed the checks, but the auditor said:\n" + said};
    }
    reach(BuildStage::Audited);
    return *judged;
}

std::optional<BuilderResult> Builder::pass(const Change &change,
                                           const BuildChecks &checks, const Audit &audit)
{
    GateInput input;
    input.checks_passed = checks.passed;
    input.verdict = audit.verdict;
    input.risk = risk_from(change.risk).value_or(Risk::High);
    input.risk_limit = risk_from(phase_.build->risk_limit).value_or(Risk::None);
    GateDecision decision = pass_gate(input);
    std::optional<BuilderResult> waits;
    if (decision.kind == GateDecision::Kind::Ask) {
        std::string detail = join(change.risk_reasons, "\n") + "\n\n" +
                             audit_to_text(audit) + "\n" + change.diff;
        waits = ask_person(build_, std::string(change_approval),
                           "commit a change of risk " + change.risk + " for phase " +
                               phase_.id + ": " + first_line(phase_.build->goal),
                           detail, change.risk);
        input.approved = !waits;
        decision = pass_gate(input);
    }
    Json json = Json::object();
    json.set("decision", gate_decision_name(decision.kind))
        .set("reasons", strings_to_json(decision.reasons))
        .set("verdict", audit_verdict_name(audit.verdict))
        .set("risk", change.risk)
        .set("approval_id", build_.approval_id);
    keep("gate.json", json);
    say("the gate says " + std::string(gate_decision_name(decision.kind)));
    append_event(database_, "build.gate", options_.run_id, phase_.id, options_.attempt,
                 json.set("number", build_.number).dump());
    if (waits && waits->status == ExitStatus::Failed) {
        build_.failure = failure_of("risk", "", "", waits->verdict.reason);
        write_file_atomically(file("evidence.txt"),
                              "Your change was:\n" + change.diff +
                                  "\nA person did not want it: " + waits->verdict.reason +
                                  "\n",
                              0600);
        end_build(database_, build_, "FAILED", clock_);
        run_git(repository_, {"worktree", "remove", "--force", "--force", "--", tree_});
    }
    return waits;
}

// Commits the very tree that was checked and audited; if other phases have committed
// meanwhile, the merge of the two, once that passes the checks as well.
void Builder::commit(const Change &change)
{
    const std::string message = commit_message(
        phase_.build->goal, {{"Autopack-Run", options_.run_id},
                             {"Autopack-Phase", phase_.id},
                             {"Autopack-Tokens", std::to_string(tokens_of_phase())}});
    for (int tries = 0; tries < most_rebases; tries++) {
        Json done = kept("commit.json");
        if (!done) {
            const std::string parent = branch_.tip();
            Change ours = change;
            if (parent != base_) {
                const auto merged = branch_.merged_tree(
                    branch_.make_commit(change.tree, {base_}, message), parent);
                if (!merged) {
                    throw Failed{failure_of("conflict", "", "",
                                            "other phases have changed the same lines"),
                                 "Other changes were committed to the same lines.\n"};
                }
                ours.tree = *merged;
                // What others have committed may have mended a test that is known to
                // fail.
                const bool counts = phase_.build->known_failures == KnownFailures::Accept;
                check(ours, counts ? baseline(parent) : before_,
                      "check-" + ours.tree + ".json");
            }
            done = Json::object()
                       .set("parent", parent)
                       .set("commit", branch_.make_commit(ours.tree, {parent}, message));
            keep("commit.json", done);
        }
        build_.commit_id = done.get_string("commit").value_or("");
        if (branch_.advance(done.get_string("parent").value_or(""), build_.commit_id)) {
            return;
        }
        remove_file(file("commit.json"));
    }
    throw Error(ExitStatus::TryAgain,
                "branch " + branch_.name() + " does not come to rest");
}

} // namespace ap
