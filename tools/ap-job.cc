#include "cli/tool.hh"
#include "domain/job_runner.hh"
#include "sys/path.hh"

namespace {

constexpr ap::ToolSpec spec = {.name = "ap-job",
                               .summary = "execute an attempt of a phase as a batch job",
                               .options = {},
                               .operands = "DIR",
                               .least = 1,
                               .most = 1};

ap::ExitStatus execute(const ap::Arguments &arguments)
{
    return ap::run_job(ap::absolute_path(arguments.operand(0)), ap::SystemClock());
}

} // namespace

int main(int argc, char **argv)
{
    return ap::run_tool(spec, argc, argv, execute);
}
