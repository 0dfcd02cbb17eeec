//! Pictures: few at a time, replaced and removed.

use std::io::Cursor;

use futures_util::future::join_all;
use image::{DynamicImage, ImageFormat};
use ironlatch_core::ids::{AccountId, AvatarId};
use ironlatch_core::ports::Token;
use ironlatch_core::profiles::{AvatarError, PictureFormat, PictureProblem};
use ironlatch_core::time::minutes;
use ironlatch_testkit::{PASSWORD, TestAuth, each_auth};

use super::{ADA, profile};

fn png() -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::new_rgb8(30, 20).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

pub(super) async fn upload(test: &TestAuth, account: AccountId) -> Result<AvatarId, AvatarError> {
    test.auth.profiles().begin_upload(account).await?.store(png()).await
}

#[tokio::test]
async fn a_new_picture_has_a_new_address_and_the_old_one_is_gone() {
    each_auth(async |test| {
        let ada = test.sign_up(ADA).await;
        let profiles = test.auth.profiles();
        let first = upload(&test, ada.id).await.unwrap();
        assert_eq!(profile(&test, ADA).await.avatar, Some(first));
        let picture = profiles.picture(first).await.unwrap().unwrap();
        assert_eq!(picture.format, PictureFormat::Jpeg);

        let second = upload(&test, ada.id).await.unwrap();
        assert_ne!(first, second);
        assert_eq!(profiles.picture(first).await.unwrap(), None);
        assert!(profiles.picture(second).await.unwrap().is_some());

        let refused = profiles.begin_upload(ada.id).await.unwrap().store(b"GIF89a".to_vec()).await;
        assert!(matches!(refused, Err(AvatarError::Picture(PictureProblem::NotAPicture))));
        assert_eq!(profile(&test, ADA).await.avatar, Some(second), "a refusal changes nothing");

        profiles.delete_avatar(ada.id).await.unwrap();
        profiles.delete_avatar(ada.id).await.unwrap();
        assert_eq!(profile(&test, ADA).await.avatar, None);
        assert_eq!(profiles.picture(second).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_closed_accounts_picture_is_gone_and_no_new_one_comes() {
    each_auth(async |test| {
        let ada = test.verified_account(ADA).await;
        let picture = upload(&test, ada.id).await.unwrap();
        let late = test.auth.profiles().begin_upload(ada.id).await.unwrap();
        let signed_in = test.sign_in(ADA, PASSWORD).await;
        let access = signed_in.started.access.reveal();
        let present = test.auth.sessions().check(access).await.unwrap();
        let password = Token::new(PASSWORD.to_owned());
        let sign_in = test.auth.sign_in();
        sign_in.close_account(&present, Some(&password), &test.stranger()).await.unwrap();
        assert_eq!(test.auth.profiles().picture(picture).await.unwrap(), None);
        assert!(matches!(late.store(png()).await, Err(AvatarError::Gone)));
    })
    .await;
}

#[tokio::test]
async fn an_account_sends_twenty_pictures_an_hour() {
    each_auth(async |test| {
        let ada = test.sign_up(ADA).await;
        let begin = async || test.auth.profiles().begin_upload(ada.id).await.map(drop);
        for _ in 0..20 {
            begin().await.unwrap();
        }
        let Err(AvatarError::TooManyAttempts { retry_at }) = begin().await else {
            panic!("a twenty-first was let in")
        };
        assert_eq!(retry_at.since(test.now()), minutes(3));
        test.clock.advance(minutes(3));
        begin().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn of_fifty_uploads_at_once_eight_hold_a_file_and_the_others_wait_or_hear_so() {
    each_auth(async |test| {
        let profiles = test.auth.profiles();
        let mut accounts = Vec::new();
        for n in 0..50 {
            accounts.push(test.sign_up(&format!("ada{n}@example.com")).await.id);
        }
        let mut held = Vec::new();
        for account in accounts.iter().take(8) {
            held.push(profiles.begin_upload(*account).await.unwrap());
        }
        let again = profiles.begin_upload(accounts[0]).await;
        assert!(matches!(again, Err(AvatarError::Busy { .. })), "one at a time of an account");
        let others = accounts.iter().skip(8).map(|account| upload(&test, *account));
        let release = async {
            tokio::task::yield_now().await;
            drop(held);
        };
        let (stored, ()) = tokio::join!(join_all(others), release);
        for one in stored {
            match one {
                Ok(_) | Err(AvatarError::Busy { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        // Whoever was turned away or done left no place taken.
        for account in accounts.iter().take(10) {
            upload(&test, *account).await.unwrap();
        }
    })
    .await;
}
