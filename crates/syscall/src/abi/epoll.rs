//! `struct epoll_event`: packed on x86-64, aligned everywhere else.

/// Size of the guest's structure: events, four bytes of padding, data.
pub(crate) const GUEST_SIZE: usize = 16;
/// Size of the host's structure: events, data.
pub(crate) const HOST_SIZE: usize = 12;

/// Closes the gap between events and data.
pub(crate) fn to_host(guest: &[u8; GUEST_SIZE]) -> [u8; HOST_SIZE] {
    let mut host = [0; HOST_SIZE];
    host[..4].copy_from_slice(&guest[..4]);
    host[4..].copy_from_slice(&guest[8..]);
    host
}

/// Opens the gap between events and data.
pub(crate) fn to_guest(host: &[u8; HOST_SIZE]) -> [u8; GUEST_SIZE] {
    let mut guest = [0; GUEST_SIZE];
    guest[..4].copy_from_slice(&host[..4]);
    guest[8..].copy_from_slice(&host[4..]);
    guest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_size_is_the_c_librarys() {
        assert_eq!(HOST_SIZE, std::mem::size_of::<libc::epoll_event>());
    }

    #[test]
    fn events_and_data_survive() {
        let guest = [1, 2, 3, 4, 0, 0, 0, 0, 5, 6, 7, 8, 9, 10, 11, 12];
        assert_eq!(to_host(&guest), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        assert_eq!(to_guest(&to_host(&guest)), guest);
    }
}
