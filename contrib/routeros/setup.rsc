# setup.rsc: what the driver needs on the box: a group with the fewest policies, a user in it,
# the user's public key, the directory of flat volumes, and, if asked, the label of the Btrfs.
# Runs as often as one likes: what is there stays, what differs is set right.
#
# Fill in the five values below, upload the file and run it as a full user:
#     /import setup.rsc
# docs/how-to/prepare-the-box.md explains each line. Written for RouterOS 7.21 to 7.24 and tried
# against the project's simulator; never yet on hardware.

# The public half of the driver's key: one line, as `ssh-keygen -t ed25519` writes it.
:local csiKey ""
# A long random text that nobody will type: the box asks for one, the driver logs in by key.
:local csiPassword ""
# The pool's mount point, and the directory below it for flat volumes: together they are the
# driver's --rds-volume-base-path.
:local csiPool "storage-pool"
:local csiDirectory "metal-csi"
# A label for the pool's Btrfs if it has none; "" leaves it. Without one there are no snapshots.
:local csiLabel ""

:local csiName "rds-csi"
:local csiPolicy "ssh,read,write,test,ftp"

:if ([:len $csiKey] = 0 or [:len $csiPassword] = 0) do={
    :error "fill in csiKey and csiPassword at the top of the script"
}

:local csiGroupId [/user/group find where name=$csiName]
:if ([:len $csiGroupId] = 0) do={
    /user/group/add name=$csiName policy=$csiPolicy
    :put "group made"
} else={
    /user/group/set $csiGroupId policy=$csiPolicy
}

:local csiUserId [/user find where name=$csiName]
:if ([:len $csiUserId] = 0) do={
    /user/add name=$csiName group=$csiName password=$csiPassword comment="storage driver"
    :put "user made"
} else={
    /user/set $csiUserId group=$csiName disabled=no
}

:if ([:len [/user/ssh-keys find where user=$csiName]] = 0) do={
    /user/ssh-keys/add user=$csiName key=$csiKey
    :put "key imported"
} else={
    :put "the user has a key already, which stays: look at /user/ssh-keys"
}

:local csiSlash ("/".$csiPool)
:local csiPoolId [/disk find where mounted and (mount-point=$csiPool or mount-point=$csiSlash)]
:if ([:len $csiPoolId] = 0) do={
    :error ("no mounted disk has the mount point ".$csiPool)
}

:local csiBase ($csiPool."/".$csiDirectory)
:if ([:len [/file find where name=$csiBase]] = 0) do={
    /file/add type=directory name=$csiBase
    :put "directory made"
}

:if ([:len $csiLabel] > 0) do={
    :local csiFs [/disk/btrfs/filesystem find where label=""]
    :if ([:len $csiFs] = 1) do={
        /disk/btrfs/filesystem/set $csiFs label=$csiLabel
        :put "Btrfs labelled"
    } else={
        :put "not exactly one Btrfs is without label: none was changed"
    }
}

:put "done; from where the controller will run: rds-csi check"
