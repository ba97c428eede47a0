//! `struct semid64_ds` (`asm/sembuf.h`): x86-64 has a word of padding behind each time.

/// Size of the guest's structure: permissions (48), two times, count, two unused words.
pub(crate) const GUEST_SIZE: usize = 88;
/// Size of the host's structure.
pub(crate) const HOST_SIZE: usize = 104;

/// (offset in the guest's, offset in the host's, length) of what both have.
const FIELDS: [(usize, usize, usize); 3] = [(0, 0, 56), (56, 64, 8), (64, 80, 24)];

/// Lays out the host's structure as the guest reads it.
pub(crate) fn to_guest(host: &[u8; HOST_SIZE]) -> [u8; GUEST_SIZE] {
    let mut guest = [0; GUEST_SIZE];
    for (to, from, length) in FIELDS {
        guest[to..to + length].copy_from_slice(&host[from..from + length]);
    }
    guest
}

/// Lays out the guest's structure as the host's kernel reads it.
pub(crate) fn to_host(guest: &[u8; GUEST_SIZE]) -> [u8; HOST_SIZE] {
    let mut host = [0; HOST_SIZE];
    for (from, to, length) in FIELDS {
        host[to..to + length].copy_from_slice(&guest[from..from + length]);
    }
    host
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_move_with_the_padding() {
        let mut host = [0; HOST_SIZE];
        for (index, byte) in host.iter_mut().enumerate() {
            *byte = index as u8;
        }
        let guest = to_guest(&host);
        assert_eq!(guest[48], 48, "sem_otime");
        assert_eq!(guest[56], 64, "sem_ctime");
        assert_eq!(guest[64], 80, "sem_nsems");
        let back = to_host(&guest);
        assert_eq!((back[0], back[48], back[64], back[80]), (0, 48, 64, 80));
        assert_eq!(to_guest(&back), guest);
    }
}
