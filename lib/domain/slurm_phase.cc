#include "domain/slurm_phase.hh"

#include "base/text.hh"
#include "sys/path.hh"

#include <algorithm>
#include <csignal>

namespace ap {

namespace {

using namespace std::chrono_literals;

// How often the job's files are looked at.
constexpr auto look_interval = 250ms;

// How long a job has for its own end beyond what the phase grants, before it is taken for
// stuck.
constexpr auto margin = 15s;

constexpr auto press_interval = 2s;

// A job that will execute nothing is not waited for longer than this.
constexpr auto longest_cancelling = 30s;

constexpr std::string_view all = "all"; // the whole job, not one signal to it

std::string first_line(std::string_view text)
{
    const std::string_view trimmed = trim(text);
    return printable(trimmed.substr(0, trimmed.find('\n')));
}

std::string describe_failure(const CommandRun &command)
{
    if (command.result.exec_errno != 0) {
        return "cannot execute '" + command.argv.front() +
               "': " + std::generic_category().message(command.result.exec_errno);
    }
    const std::string line =
        first_line(command.error.empty() ? command.output : command.error);
    return command.argv.front() + ": " + (line.empty() ? "failed" : line);
}

// Slurm ends jobs by signals to all their processes: a command may be hit before ap-job
// is, and then it looks as if it had failed.
bool may_be_slurms_doing(const AttemptOutcome &outcome)
{
    return outcome.status == AttemptStatus::Interrupted ||
           (outcome.status == AttemptStatus::Failed &&
            (outcome.signal == SIGTERM || outcome.signal == SIGKILL));
}

bool ended_by_itself(const SlurmJob &job)
{
    return job.state == "COMPLETED" || job.state == "FAILED";
}

} // namespace

SlurmPhase::SlurmPhase(BatchJob job, SlurmLauncher &launcher, Begin begin)
    : LaunchedPhase(Lease(job.lease), PhaseUsage(nullptr))
    , job_(std::move(job))
    , launcher_(launcher)
    , clock_(launcher.clock())
    , directory_(launcher.directory_of(lease_))
    , tail_(usage_files(directory_).spool, job_.usage_read)
    , started_(clock_.monotonic())
    , next_look_(started_)
    , heard_of_(started_ - 1ms)
{
    if (begin == Begin::Submit) {
        submit();
    }
}

void SlurmPhase::submit()
{
    submission_ = launcher_.submit(job_);
}

void SlurmPhase::check_time()
{
    launcher_.check_time();
    const Milliseconds now = clock_.monotonic();
    if (!ended() && submission_ && submission_->ended) {
        take_submission();
    }
    if (!ended() && now >= next_look_) {
        next_look_ = now + look_interval;
        look_at_files();
        if (!ended() && !submission_) {
            look_at_listing();
        }
        check_overdue();
    }
    if (!ended() && ending_) {
        press_end();
    }
}

void SlurmPhase::look_at_files()
{
    usage_.read_tail(tail_, false);
    if (auto state = read_job_state(directory_)) {
        note_state(*state);
    }
}

void SlurmPhase::note_state(const JobState &state)
{
    const bool first = !state_;
    state_ = state;
    if (state.stage == JobState::Stage::GivenUp) {
        given_up_ = given_up_.value_or(clock_.monotonic());
        if (!ending_) {
            end(AttemptStatus::Interrupted, "given up by an executor that died", true);
        }
        return;
    }
    if (first) {
        began_ = clock_.monotonic();
        notes_.push_back("Slurm job " + state.job_id + " executes on " + state.node);
    }
    if (!job_.job_id) {
        job_.job_id = state.job_id;
        unrecorded_job_ = true;
    }
    if (state.stage == JobState::Stage::Checking && stage_ == Stage::Command) {
        stage_ = Stage::CommandDone;
    }
    if (state.stage == JobState::Stage::Ended) {
        pressed_ = pressed_.value_or(clock_.monotonic());
        const bool explained = ending_ || !may_be_slurms_doing(state.outcome);
        if (explained || clock_.monotonic() - *pressed_ >= margin) {
            finish(state.outcome.status, state.outcome.reason);
        }
    }
}

void SlurmPhase::take_submission()
{
    const SlurmLauncher::Command command = std::exchange(submission_, nullptr);
    heard_of_ = clock_.monotonic();
    const auto id = command->succeeded() ? submitted_job(command->output) : std::nullopt;
    if (id) {
        job_.job_id = id;
        unrecorded_job_ = true;
        notes_.push_back("submitted as Slurm job " + *id);
    } else {
        // It may have been accepted all the same: the listing tells.
        complaint_ = describe_failure(*command);
    }
}

void SlurmPhase::look_at_listing()
{
    const SlurmListing *listing = launcher_.listing(heard_of_);
    if (listing == nullptr) {
        return;
    }
    heard_of_ = listing->asked_at;
    const std::vector<SlurmJob> jobs = listing->of(job_.name);
    const auto alive = std::find_if(jobs.begin(), jobs.end(),
                                    [](const SlurmJob &job) { return !is_over(job); });
    if (alive != jobs.end()) {
        note_job(*alive);
    } else {
        on_gone(jobs.empty() ? nullptr : &jobs.back());
    }
}

void SlurmPhase::note_job(const SlurmJob &job)
{
    if (!job_.job_id) {
        job_.job_id = job.id;
        unrecorded_job_ = true;
        notes_.push_back("is Slurm job " + job.id);
    }
    if (job.state == "PENDING" && waits_for_ != job.reason && job.reason != "None") {
        waits_for_ = job.reason;
        notes_.push_back("Slurm job " + job.id + " waits: " + printable(job.reason));
    }
}

// No job of that name is waiting or under way any more. What it wrote last is looked at
// once more, since it may have ended after the last look.
void SlurmPhase::on_gone(const SlurmJob *job)
{
    look_at_files();
    if (ended()) {
        return;
    }
    if (!state_ || given_up_) {
        settle_unstarted(job);
        return;
    }
    const SlurmVerdict verdict =
        job != nullptr
            ? verdict_of(*job)
            : SlurmVerdict{AttemptStatus::Interrupted,
                           "Slurm job " + state_->job_id + " is gone without a result"};
    const bool slurm_knows = job != nullptr && !ended_by_itself(*job);
    if (state_->stage == JobState::Stage::Ended && !slurm_knows) {
        finish(state_->outcome.status, state_->outcome.reason);
    } else {
        finish(verdict.status, verdict.reason);
    }
}

// Its job, if there was one, has not begun to execute anything.
void SlurmPhase::settle_unstarted(const SlurmJob *job)
{
    if (job == nullptr && !given_up_ && !ending_ && is_unreachable(complaint_)) {
        complaint_.clear();
        submit();
        return;
    }
    if (!give_up()) {
        return; // it has begun just now
    }
    if (job != nullptr) {
        SlurmVerdict verdict = verdict_of(*job);
        if (ended_by_itself(*job)) {
            verdict = {AttemptStatus::Failed,
                       "Slurm job " + job->id + " could not execute it (" + job->reason +
                           "); see job.log in the attempt's directory"};
        }
        finish(verdict.status, verdict.reason);
    } else if (!complaint_.empty()) {
        finish(AttemptStatus::Failed, complaint_);
    } else {
        finish(AttemptStatus::Interrupted, "it had not begun when its executor died");
    }
}

// From here on no job executes the attempt; false if one does already.
bool SlurmPhase::give_up()
{
    if (!given_up_ && claim_job(directory_, {JobState::Stage::GivenUp, {}, {}, {}})) {
        given_up_ = clock_.monotonic();
    }
    return given_up_.has_value();
}

void SlurmPhase::end(AttemptStatus status, std::string reason, bool at_once)
{
    if (ended()) {
        return;
    }
    if (!ending_) {
        ending_ = status;
        ending_reason_ = std::move(reason);
    }
    at_once_ = at_once_ || at_once;
    next_press_ = clock_.monotonic();
    static_cast<void>(give_up());
    press_end();
}

// The job keeps to the phase's timeout itself, unless it is stuck.
void SlurmPhase::check_overdue()
{
    if (ended() || ending_ || !began_) {
        return;
    }
    const PhaseSpec &phase = lease_.phase;
    if (clock_.monotonic() - *began_ >= phase.timeout + phase.grace + margin) {
        end(AttemptStatus::TimedOut, "timed out after " + format_duration(phase.timeout),
            false);
    }
}

// Sends what is due: TERM or INT to the job's own process, which ends the phase as a
// keeper does; when that did not help in time, Slurm is told to end everything.
void SlurmPhase::press_end()
{
    const Milliseconds now = clock_.monotonic();
    if (cancelling_ && cancelling_->ended) {
        if (cancelling_->succeeded()) {
            sent_ = sending_;
            pressed_ = pressed_.value_or(now);
        }
        cancelling_.reset();
    }
    if (cancelling_ || submission_) {
        return;
    }
    if (given_up_) {
        press_unstarted(sent_ == all);
        return;
    }
    const bool stuck = pressed_ && now - *pressed_ >= lease_.phase.grace + margin;
    const std::string_view wanted = stuck ? all : (at_once_ ? "INT" : "TERM");
    if (sent_ != wanted && now >= next_press_) {
        send(wanted);
    }
}

void SlurmPhase::press_unstarted(bool cancelled)
{
    const Milliseconds now = clock_.monotonic();
    if (cancelled) {
        finish(*ending_, ending_reason_);
    } else if (now - *given_up_ >= longest_cancelling) {
        notes_.push_back("its Slurm job cannot be cancelled; it will execute nothing");
        finish(*ending_, ending_reason_);
    } else if (now >= next_press_) {
        send(all);
    }
}

void SlurmPhase::send(std::string_view signal)
{
    sending_ = signal;
    next_press_ = clock_.monotonic() + press_interval;
    cancelling_ = launcher_.cancel(job_, signal == all ? "" : signal);
}

void SlurmPhase::forget_usage()
{
    if (ended()) {
        remove_file(usage_files(directory_).spool);
    }
}

SlurmPhase::Milliseconds SlurmPhase::elapsed() const
{
    return clock_.monotonic() - began_.value_or(started_);
}

void SlurmPhase::record(Sqlite &database)
{
    if (std::exchange(unrecorded_job_, false)) {
        record_batch_job(database, lease_, *job_.job_id);
    }
}

void SlurmPhase::finish(AttemptStatus status, std::string reason)
{
    if (state_ && state_->stage == JobState::Stage::Ended) {
        outcome_ = state_->outcome;
    } else {
        outcome_.duration_ms = elapsed().count();
    }
    stage_ = Stage::Ended;
    fail(ending_.value_or(status), ending_ ? ending_reason_ : std::move(reason));
    usage_.read_tail(tail_, true);
    remove_job_order(directory_);
}

} // namespace ap
