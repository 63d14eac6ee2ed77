#include "net/gate_store.hh"

#include "sys/path.hh"

#include <memory>
#include <utility>

namespace ap {

namespace {

constexpr size_t most_waiting = 65536;

} // namespace

GateStore::GateStore(const StatePaths &paths)
    : state_(paths, State::Access::Write, "ap-gate")
    , breakers_(state_.database(), clock_)
    , answers_(join_path(paths.runs, ".autopack-gate-cache")) // in no backup
    , worker_(most_waiting)
{
}

GateStore::~GateStore()
{
    wait();
}

bool GateStore::post(std::function<void(GateStore &)> work,
                     std::function<void(const std::string &)> then, Mailbox &mailbox)
{
    const bool taken = worker_.submit(
        [this, work = std::move(work), then = std::move(then)] {
            const std::string trouble = do_work(work);
            return then ? Worker::Answer([then, trouble] { then(trouble); })
                        : Worker::Answer();
        },
        mailbox);
    if (!taken) {
        tell("the disk does not keep up");
    }
    return taken;
}

std::string GateStore::do_work(const std::function<void(GateStore &)> &work)
{
    std::string trouble;
    try {
        work(*this);
    } catch (const std::exception &error) {
        trouble = error.what();
    }
    tell(trouble);
    return trouble;
}

void GateStore::touch()
{
    // The worker's own mailbox stays empty.
    worker_.submit([this] {
        do_work([](GateStore &store) { store.state_.touch(); });
        return Worker::Answer();
    });
}

void GateStore::tell(const std::string &trouble)
{
    const std::lock_guard lock(mutex_);
    trouble_ = trouble;
}

std::string GateStore::trouble() const
{
    const std::lock_guard lock(mutex_);
    return trouble_;
}

} // namespace ap
