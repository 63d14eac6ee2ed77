#include "wrap/http_transfer.hh"

#include "wrap/http_client.hh"

#include <utility>

namespace ap {

HttpTransfer::HttpTransfer(HttpTransfer &&other) noexcept
    : client_(std::exchange(other.client_, nullptr))
    , id_(other.id_)
{
}

HttpTransfer &HttpTransfer::operator=(HttpTransfer &&other) noexcept
{
    if (this != &other) {
        drop();
        client_ = std::exchange(other.client_, nullptr);
        id_ = other.id_;
    }
    return *this;
}

void HttpTransfer::pause()
{
    if (client_ != nullptr) {
        client_->pause(id_);
    }
}

void HttpTransfer::resume()
{
    if (client_ != nullptr) {
        client_->resume(id_);
    }
}

void HttpTransfer::drop() noexcept
{
    if (client_ != nullptr) {
        std::exchange(client_, nullptr)->cancel(id_);
    }
}

} // namespace ap
