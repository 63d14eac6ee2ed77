#pragma once

#include "domain/attempt_usage.hh"
#include "domain/job_files.hh"
#include "domain/slurm_launcher.hh"
#include "sys/fifo_spool.hh"

namespace ap {

/// A leased phase that executes as a job of Slurm. What the job writes into the attempt's
/// directory tells how far it is and how it ended; Slurm is asked for what it cannot tell
/// itself: that it waits, or is gone. The job goes on when this object ends.
class SlurmPhase final : public LaunchedPhase
{
public:
    enum class Begin {
        Submit, ///< submit the job
        Attach, ///< find what another executor submitted, if it did
    };

    SlurmPhase(BatchJob job, SlurmLauncher &launcher, Begin begin);

    void check_time() override;
    Milliseconds next_deadline() const override { return next_look_; }
    void end(AttemptStatus status, std::string reason, bool at_once) override;
    void start_checks() override { stage_ = Stage::Check; }
    void forget_usage() override;
    Milliseconds elapsed() const override;
    bool has_something_to_record() const override { return unrecorded_job_; }
    void record(Sqlite &database) override;
    std::vector<std::string> take_notes() override { return std::exchange(notes_, {}); }

private:
    void look_at_files();
    void note_state(const JobState &state);
    void take_submission();
    void look_at_listing();
    void note_job(const SlurmJob &job);
    void on_gone(const SlurmJob *job);
    void settle_unstarted(const SlurmJob *job);
    void submit();
    void check_overdue();
    void press_end();
    void press_unstarted(bool cancelled);
    void send(std::string_view signal);
    bool give_up();
    void finish(AttemptStatus status, std::string reason);

    BatchJob job_;
    SlurmLauncher &launcher_;
    const Clock &clock_;
    std::string directory_;
    SpoolTail tail_;
    Milliseconds started_;
    Milliseconds next_look_;
    Milliseconds heard_of_{0}; ///< listings asked for before it tell nothing
    SlurmLauncher::Command submission_;
    std::string complaint_; ///< of sbatch when it failed last
    std::optional<JobState> state_;
    std::optional<Milliseconds> began_;    ///< when the job was seen to execute
    std::optional<Milliseconds> given_up_; ///< when it was: no job executes it any more
    std::string waits_for_;
    bool unrecorded_job_ = false;
    std::vector<std::string> notes_;

    std::optional<AttemptStatus> ending_;
    std::string ending_reason_;
    bool at_once_ = false;
    SlurmLauncher::Command cancelling_;
    std::string sent_; ///< the last signal that was sent well
    std::string sending_;
    Milliseconds next_press_{0};
    std::optional<Milliseconds> pressed_; ///< since when
};

} // namespace ap
