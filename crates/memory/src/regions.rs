//! The interval map of the guest's mappings. Knows no host.

use crate::GuestAddr;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// What the pages of a region have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// `PROT_*` as the guest asked for it.
    pub prot: i32,
    /// Whether writes reach others (`MAP_SHARED`).
    pub shared: bool,
    /// A name such as `[heap]`, where the guest's `/proc/self/maps` shows one.
    pub label: Option<Arc<str>>,
    /// Of a System V segment, the address that it is detached by: where its first byte
    /// is, or would be.
    pub segment: Option<GuestAddr>,
    /// Of code that is mapped from a file: which file, and where its first byte is, or
    /// would be.
    pub object: Option<(u32, GuestAddr)>,
}

#[derive(Clone, Debug)]
struct Region {
    end: GuestAddr,
    attributes: Attributes,
}

/// Disjoint regions; neighbours with equal attributes are one.
#[derive(Default)]
pub struct Regions {
    by_start: BTreeMap<GuestAddr, Region>,
}

impl Regions {
    /// The region that contains `addr`.
    pub fn at(&self, addr: GuestAddr) -> Option<(Range<GuestAddr>, &Attributes)> {
        let (start, region) = self.by_start.range(..=addr).next_back()?;
        (addr < region.end).then_some((*start..region.end, &region.attributes))
    }

    /// The parts of regions that lie in `range`, in ascending order.
    pub fn within(
        &self,
        range: Range<GuestAddr>,
    ) -> impl Iterator<Item = (Range<GuestAddr>, &Attributes)> {
        let first = self.at(range.start).map_or(range.start, |(region, _)| region.start);
        self.by_start
            .range(first..range.end.max(first))
            .map(move |(start, region)| {
                let part = range.start.max(*start)..range.end.min(region.end);
                (part, &region.attributes)
            })
            .filter(|(part, _)| !part.is_empty())
    }

    /// The parts of `range` that are in no region, in ascending order.
    pub fn gaps(&self, range: Range<GuestAddr>) -> Vec<Range<GuestAddr>> {
        let mut gaps = Vec::new();
        let mut from = range.start;
        for (part, _) in self.within(range.clone()) {
            if from < part.start {
                gaps.push(from..part.start);
            }
            from = part.end;
        }
        if from < range.end {
            gaps.push(from..range.end);
        }
        gaps
    }

    /// The ranges that regions cover without a gap, in ascending order.
    pub fn runs(&self) -> Vec<Range<GuestAddr>> {
        let mut runs: Vec<Range<GuestAddr>> = Vec::new();
        for (start, region) in &self.by_start {
            match runs.last_mut() {
                Some(last) if last.end == *start => last.end = region.end,
                _ => runs.push(*start..region.end),
            }
        }
        runs
    }

    /// Whether all of `range` is in regions.
    pub fn cover(&self, range: Range<GuestAddr>) -> bool {
        self.gaps(range).is_empty()
    }

    /// Gives all of `range` these attributes.
    pub fn insert(&mut self, range: Range<GuestAddr>, attributes: Attributes) {
        if range.is_empty() {
            return;
        }
        self.remove(range.clone());
        self.by_start.insert(range.start, Region { end: range.end, attributes });
        self.merge_at(range.end);
        self.merge_at(range.start);
    }

    /// Takes `range` out.
    pub fn remove(&mut self, range: Range<GuestAddr>) {
        self.split_at(range.start);
        self.split_at(range.end);
        let starts: Vec<_> = self.by_start.range(range).map(|(start, _)| *start).collect();
        for start in starts {
            self.by_start.remove(&start);
        }
    }

    /// Changes the protection of what `range` has of regions.
    pub fn protect(&mut self, range: Range<GuestAddr>, prot: i32) {
        self.split_at(range.start);
        self.split_at(range.end);
        let starts: Vec<_> = self.by_start.range(range.clone()).map(|(start, _)| *start).collect();
        for start in &starts {
            if let Some(region) = self.by_start.get_mut(start) {
                region.attributes.prot = prot;
            }
        }
        self.merge_at(range.end);
        for start in starts.into_iter().rev() {
            self.merge_at(start);
        }
    }

    /// Changes which System V segment the regions in `range` are of.
    pub fn set_segment(&mut self, range: Range<GuestAddr>, segment: Option<GuestAddr>) {
        let parts: Vec<_> =
            self.within(range).map(|(part, attributes)| (part, attributes.clone())).collect();
        for (part, attributes) in parts {
            self.insert(part, Attributes { segment, ..attributes });
        }
    }

    /// All regions, in ascending order.
    #[cfg(test)]
    fn iter(&self) -> impl Iterator<Item = (Range<GuestAddr>, &Attributes)> {
        self.by_start.iter().map(|(start, region)| (*start..region.end, &region.attributes))
    }

    /// Makes `addr` a boundary.
    fn split_at(&mut self, addr: GuestAddr) {
        let Some((start, region)) = self.by_start.range_mut(..addr).next_back() else { return };
        debug_assert!(*start < addr);
        if addr < region.end {
            let upper = Region { end: region.end, attributes: region.attributes.clone() };
            region.end = addr;
            self.by_start.insert(addr, upper);
        }
    }

    /// Joins the regions that meet at `addr` if they are equal.
    fn merge_at(&mut self, addr: GuestAddr) {
        let Some(upper) = self.by_start.get(&addr) else { return };
        let (end, attributes) = (upper.end, upper.attributes.clone());
        if let Some((_, lower)) = self.by_start.range_mut(..addr).next_back()
            && lower.end == addr
            && lower.attributes == attributes
        {
            lower.end = end;
            self.by_start.remove(&addr);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn attributes(prot: i32) -> Attributes {
        Attributes { prot, shared: false, label: None, segment: None, object: None }
    }

    fn all(regions: &Regions) -> Vec<(u64, u64, i32)> {
        regions.iter().map(|(r, a)| (r.start, r.end, a.prot)).collect()
    }

    #[test]
    fn equal_neighbours_are_one_region() {
        let mut regions = Regions::default();
        regions.insert(10..20, attributes(1));
        regions.insert(30..40, attributes(1));
        regions.insert(20..30, attributes(1));
        assert_eq!(all(&regions), [(10, 40, 1)]);
        regions.protect(15..25, 3);
        assert_eq!(all(&regions), [(10, 15, 1), (15, 25, 3), (25, 40, 1)]);
        regions.protect(15..25, 1);
        assert_eq!(all(&regions), [(10, 40, 1)]);
    }

    #[test]
    fn removing_the_middle_leaves_both_ends() {
        let mut regions = Regions::default();
        regions.insert(10..40, attributes(1));
        regions.remove(20..30);
        assert_eq!(all(&regions), [(10, 20, 1), (30, 40, 1)]);
        assert_eq!(regions.gaps(5..50), [5..10, 20..30, 40..50]);
        assert!(regions.cover(12..20) && !regions.cover(12..21));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(Range<u64>, i32),
        Remove(Range<u64>),
        Protect(Range<u64>, i32),
    }

    fn step() -> impl Strategy<Value = Step> {
        let range = || (0u64..60, 1u64..30).prop_map(|(start, len)| start..start + len);
        prop_oneof![
            (range(), 0..4).prop_map(|(r, p)| Step::Insert(r, p)),
            range().prop_map(Step::Remove),
            (range(), 0..4).prop_map(|(r, p)| Step::Protect(r, p)),
        ]
    }

    proptest! {
        /// The map against a table with an entry a page.
        #[test]
        fn regions_behave_like_a_table_of_pages(steps in prop::collection::vec(step(), 1..40)) {
            let mut regions = Regions::default();
            let mut pages = [None; 100];
            for step in steps {
                match step {
                    Step::Insert(range, prot) => {
                        regions.insert(range.clone(), attributes(prot));
                        range.for_each(|page| pages[page as usize] = Some(prot));
                    }
                    Step::Remove(range) => {
                        regions.remove(range.clone());
                        range.for_each(|page| pages[page as usize] = None);
                    }
                    Step::Protect(range, prot) => {
                        regions.protect(range.clone(), prot);
                        for page in range {
                            pages[page as usize] = pages[page as usize].map(|_| prot);
                        }
                    }
                }
                for (page, expected) in pages.iter().enumerate() {
                    let found = regions.at(page as u64).map(|(_, a)| a.prot);
                    prop_assert_eq!(found, *expected);
                }
                let list = all(&regions);
                for pair in list.windows(2) {
                    let apart = pair[0].1 < pair[1].0;
                    prop_assert!(apart || pair[0].1 == pair[1].0 && pair[0].2 != pair[1].2);
                }
            }
        }
    }
}
